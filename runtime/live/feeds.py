"""Where a live run's frames come from: cameras, whose newest ones count, or a source whose every frame does."""

import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.frames.camera import Camera
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.sources import Source


class Feed(Protocol):
    """names: of its sources, as `Frame.source` counts them. fps: frames a second, where that is known. dropped, losses,
    lost_s: as in LiveSummary. waits: whether frames wait until they are wanted.
    """

    waits: bool
    names: tuple[str, ...]

    @property
    def fps(self) -> float | None: ...

    @property
    def dropped(self) -> int: ...

    @property
    def losses(self) -> int: ...

    @property
    def lost_s(self) -> float: ...

    def next(self, within_s: float) -> list[Frame] | None:
        """At most one frame a source; none when none came in time; None when there are no more."""
        ...

    def rest_until(self, moment: float) -> None:
        """Nobody wants a frame before then, as `time.monotonic` counts."""
        ...

    def troubles(self) -> dict[int, str]:
        """Sources that give no picture at present, and why. Raises DeviceError for one that is given up."""
        ...

    def close(self) -> None:
        """Let go of all devices."""
        ...


class CameraFeed:
    """Several cameras; the newest picture of each. fps: what they are said to give. give_up_s: how long one may be
    silent.
    """

    waits = False

    def __init__(
        self, cameras: Sequence[Camera], news: threading.Event, fps: float | None = None, give_up_s: float | None = None
    ) -> None:
        self.names = tuple(camera.name for camera in cameras)
        self.fps = fps
        self._cameras = cameras
        self._news = news
        self._give_up_s = give_up_s

    @property
    def dropped(self) -> int:
        return sum(camera.dropped for camera in self._cameras)

    @property
    def losses(self) -> int:
        return sum(camera.losses for camera in self._cameras)

    @property
    def lost_s(self) -> float:
        return sum(camera.lost_s for camera in self._cameras)

    def next(self, within_s: float) -> list[Frame]:
        self._news.wait(within_s)
        self._news.clear()
        return [frame for camera in self._cameras if (frame := camera.take())]

    def rest_until(self, moment: float) -> None:
        for camera in self._cameras:
            camera.rest_until(moment)

    def troubles(self) -> dict[int, str]:
        for camera in self._cameras:
            if self._give_up_s is not None and camera.silent_s() > self._give_up_s:
                why = camera.trouble or "it gives no picture"
                raise DeviceError(f"{camera.name}: {why}, for {self._give_up_s:g} s now; given up as --give-up asks")
        return {number: camera.trouble for number, camera in enumerate(self._cameras) if camera.trouble}

    def close(self) -> None:
        for camera in self._cameras:
            camera.close()


class PlayedFeed:
    """A source of files, frame by frame, none left out."""

    waits = True
    dropped = losses = 0
    lost_s = 0.0

    def __init__(self, source: Source, fps: float | None = None) -> None:
        self.names = source.names
        self.fps = fps
        self._frames: Iterator[Frame | None] = iter(source)

    def next(self, within_s: float) -> list[Frame] | None:
        try:
            frame = next(self._frames)
        except StopIteration:
            return None
        return [frame] if frame else []

    def rest_until(self, moment: float) -> None:
        """A file waits."""

    def troubles(self) -> dict[int, str]:
        return {}

    def close(self) -> None:
        """The frames close their own files."""
