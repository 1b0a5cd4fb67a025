"""Where images come from: folders, patterns, files, lists, archives and videos, as one stream of named frames."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from edgeclf.runtime.errors import ImageError, NoImagesError, OptionError, Reason, SourceError
from edgeclf.runtime.images.decode import MAX_PIXELS
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.archives import ArchivePart, is_archive
from edgeclf.runtime.sources.folders import FolderPart
from edgeclf.runtime.sources.lists import PathsPart, StdinPart, is_column, open_column, open_list
from edgeclf.runtime.sources.patterns import PatternPart
from edgeclf.runtime.sources.remote import RemoteFile, open_remote
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.sequences import SequencePart, is_sequence
from edgeclf.runtime.sources.source_part import Part
from edgeclf.runtime.sources.unreadable import Broken
from edgeclf.runtime.sources.videos import VideoPart, is_video
from edgeclf.runtime.sources.watched_folders import WatchedFolders
from edgeclf.runtime.storage.object_store import is_uri, local_name
from edgeclf.runtime.terminal.masking import mask

STDIN = "-"
_REMOTE_VIDEO = Broken(ImageError(Reason.NOT_AN_IMAGE, "a video, and those are read from local disks only"))


class Source(Protocol):
    """Frames in a fixed order; None where there is nothing more for now, at least every 0.2 s while that is so.

    names: as they were given. prefixes: one for each name, such that `frame.name == prefixes[frame.source] + frame.path`.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def prefixes(self) -> tuple[str, ...]: ...

    @property
    def skipped(self) -> int:
        """Files passed over so far because they are no images."""
        ...

    def __iter__(self) -> Iterator[Frame | None]: ...

    def count(self) -> int:
        """How many frames there will be; 0 where nobody can know. Lists folders, reads no image; for any thread.

        Of a video, what its header says.
        """
        ...

    def roots(self) -> tuple[str, ...]:
        """Folders and archives that must be reachable for the run to go on; where one is not, its storage has gone."""
        ...

    def folders(self) -> tuple[str, ...]:
        """Those that are searched in depth."""
        ...


def open_source(
    *names: str,
    follow_links: bool = False,
    watch: bool = False,
    nul: bool = False,
    resumed: bool = False,
    sampling: Sampling = EVERY_FRAME,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """One source of all that is named, in that order; what exists under a name goes before every other reading of it.

    A name is a folder, a file, an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz`), a pattern such as
    `'a/**/*.jpg'`, a video (see `videos.SUFFIXES`), numbered images such as `a/f_%03d.png`, `@list.txt` with a path a
    line, `list.csv:column`, or `-`: paths from stdin, with `nul` one before each NUL character; or a URI such as
    `s3://bucket/photos`, of a folder or an image, which may be in lists, too; `file:///photos` is the folder itself.
    follow_links: enter linked folders. watch: folders only; go on for ever with images as they are completed. resumed: a
    file or a pattern that is not there any more is no error, for an earlier run may have moved all of it. sampling,
    max_pixels: which frames of videos and numbered images to take, and how large those of videos may be. Raises
    SourceError or OptionError.
    """
    if not names:
        raise OptionError("no source is named; give a folder, an image, or a quoted pattern like 'a/*.jpg'")
    if nul and STDIN not in names:
        raise OptionError("-0 says how paths on stdin are parted, but no source is -; add it, or leave -0 out")
    if names.count(STDIN) > 1:
        raise OptionError("stdin can be read only once; name - once")
    names = tuple(map(local_name, names))
    if watch:
        _check_sampling(sampling, ())
        _check_watched(names)
        return WatchedFolders(names, follow_links)
    opening = _Opening(follow_links, nul, resumed, sampling, max_pixels)
    parts = [_open_part(name, opening) for name in names]
    _check_sampling(sampling, names)
    return _Parts(names, parts, opening)


@dataclass(frozen=True, slots=True)
class _Opening:
    """As for open_source."""

    follow_links: bool
    nul: bool
    resumed: bool
    sampling: Sampling
    max_pixels: int


class _Parts:
    """Several names, one after the other."""

    def __init__(self, names: tuple[str, ...], parts: list[Part], opening: _Opening) -> None:
        self.names = names
        self._opening = opening
        self.prefixes = tuple(part.prefix for part in parts)
        self._parts = parts

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
                yield from self._unfolded(frame)
        if not found:
            raise NoImagesError("; ".join(part.empty for part in self._parts))

    def _unfolded(self, frame: Frame | None) -> Iterator[Frame | None]:
        """All frames of a video that a list or a pattern names; anything else as it is."""
        if frame is not None and isinstance(frame.image, RemoteFile) and is_video(frame.name):
            yield replace(frame, image=_REMOTE_VIDEO)  # without the download of a whole film
            return
        if frame is None or not (isinstance(frame.image, str) and is_video(frame.image)):
            yield frame
            return
        video = VideoPart(frame.image, self._opening.sampling, self._opening.max_pixels)
        for one in video.frames(frame.source):
            yield one and replace(one, path=frame.path + one.path)

    def count(self) -> int:
        counts = [part.count() for part in self._parts]
        return 0 if None in counts else sum(filter(None, counts))

    def roots(self) -> tuple[str, ...]:
        return tuple(root for part in self._parts for root in part.roots)

    def folders(self) -> tuple[str, ...]:
        return tuple(folder for part in self._parts for folder in part.folders)


def _open_part(name: str, opening: _Opening) -> Part:
    if is_uri(name.removeprefix("@")):
        return _open_uri(name)
    if os.path.isdir(name):
        return FolderPart(name, opening.follow_links)
    if os.path.lexists(name):
        return _open_file(name, opening)
    if name == STDIN:
        return StdinPart(opening.nul)
    if name.startswith("@"):
        return open_list(name)
    if is_column(name):
        return open_column(name)
    if glob.has_magic(name):
        return PatternPart(name, opening.follow_links, may_be_empty=opening.resumed)
    if is_sequence(name):
        return SequencePart(name, opening.sampling, may_be_empty=opening.resumed)
    if opening.resumed:
        return _open_file(name, opening)
    raise SourceError(
        f"{mask(name)!r} does not exist; --source takes a folder, an image, a quoted pattern like 'a/*.jpg', or a URI like "
        "s3://bucket/photos"
    )


def _open_uri(name: str) -> Part:
    is_archived = is_archive(name) and "::" not in name  # fsspec reads zip://::s3://bucket/photos.zip
    if is_archived or is_video(name) or is_column(name) or name.startswith("@"):
        raise SourceError(
            f"{mask(name)!r}: videos, archives and lists are read from local disks only; download it, and name the file"
        )
    return open_remote(name)


def _open_file(name: str, opening: _Opening) -> Part:
    if is_video(name):
        return VideoPart(name, opening.sampling, opening.max_pixels)
    if is_archive(name) and os.path.lexists(name):
        return ArchivePart(name)
    return PathsPart(name, lambda: iter((name,)))


def _check_watched(names: tuple[str, ...]) -> None:
    uri = next(filter(is_uri, names), None)
    if uri is not None:
        raise OptionError(
            f"--watch waits for images in local folders, and {mask(uri)!r} is none; leave it out, and repeat the command: "
            "it goes on with what is new"
        )


def _check_sampling(sampling: Sampling, names: tuple[str, ...]) -> None:
    if sampling.every_s is not None and not any(map(_may_be_videos, names)):
        raise OptionError("--every is for videos, and no source is one; leave it out, or name a video file")
    if sampling.stride != 1 and not any(_may_be_videos(name) or is_sequence(name) for name in names):
        raise OptionError("--vid-stride is for videos and numbered images, and no source is one; leave it out")


def _may_be_videos(name: str) -> bool:
    if os.path.lexists(name):
        return is_video(name) and not os.path.isdir(name)
    return is_video(name) or name == STDIN or name.startswith("@") or is_column(name) or glob.has_magic(name)
