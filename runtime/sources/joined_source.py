"""Several named sources as one: their frames come one source after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgeclf.runtime.errors import ImageError, NoImagesError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.remote import RemoteFile
from edgeclf.runtime.sources.sampling import Sampling
from edgeclf.runtime.sources.source_part import SourcePart
from edgeclf.runtime.sources.unreadable import UnreadableImage
from edgeclf.runtime.sources.videos import VideoFrames, is_video

_REMOTE_VIDEO = UnreadableImage(ImageError(Reason.NOT_AN_IMAGE, "a video; videos are read from local disks only"))


class JoinedSource:
    """A Source. Each of the parts stands for one name.

    sampling, max_pixels: for videos that a list or a pattern names; videos that are parts have their own.
    """

    def __init__(self, names: tuple[str, ...], parts: Sequence[SourcePart], sampling: Sampling, max_pixels: int) -> None:
        self.names = names
        self.prefixes = tuple(part.prefix for part in parts)
        self._parts = parts
        self._sampling = sampling
        self._max_pixels = max_pixels

    @property
    def skipped(self) -> int:
        return sum(part.skipped for part in self._parts)

    def __iter__(self) -> Iterator[Frame | None]:
        for part in self._parts:
            part.skipped = 0
        found = False
        for number, part in enumerate(self._parts):
            for frame in part.frames(number):
                found = found or frame is not None
                yield from self._expand_video(frame)
        if not found:
            raise NoImagesError("; ".join(part.empty_message for part in self._parts))

    def count(self) -> int:
        counts = [part.count() for part in self._parts]
        return 0 if None in counts else sum(filter(None, counts))

    def roots(self) -> tuple[str, ...]:
        return tuple(root for part in self._parts for root in part.roots)

    def folders(self) -> tuple[str, ...]:
        return tuple(folder for part in self._parts for folder in part.folders)

    def _expand_video(self, frame: Frame | None) -> Iterator[Frame | None]:
        """All frames of a video that a list or a pattern names; anything else unchanged."""
        if frame is not None and isinstance(frame.image, RemoteFile) and is_video(frame.name):
            yield replace(frame, image=_REMOTE_VIDEO)  # without downloading a whole film
            return
        if frame is None or not (isinstance(frame.image, str) and is_video(frame.image)):
            yield frame
            return
        video = VideoFrames(frame.image, self._sampling, self._max_pixels)
        for video_frame in video.frames(frame.source):
            yield video_frame and replace(video_frame, path=frame.path + video_frame.path)
