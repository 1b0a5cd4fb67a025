"""The frames of a live run: the newest ones of cameras, or every frame of videos."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic, sleep
from typing import Protocol

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.capture import camera_names
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, ActualSettings, RequestedSettings
from edgeclf.runtime.errors import DeviceError, OptionError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.limits import MAX_PIXELS
from edgeclf.runtime.live.rate_limit import RateLimiter
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.sequences import is_sequence
from edgeclf.runtime.sources.source import Source, open_source
from edgeclf.runtime.sources.videos import frame_rate, is_video
from edgeclf.runtime.terminal.console import note

_RETRY_S = 1.0


class Feed(Protocol):
    """names: of the sources, in the order of `Frame.source`. fps: frames a second, None if unknown.

    waits: whether frames wait until they are asked for, as those of a video do. dropped, losses, lost_s: as in LiveSummary.
    """

    names: tuple[str, ...]
    waits: bool

    @property
    def fps(self) -> float | None: ...

    @property
    def dropped(self) -> int: ...

    @property
    def losses(self) -> int: ...

    @property
    def lost_s(self) -> float: ...

    def next_frames(self, timeout_s: float) -> list[Frame] | None:
        """At most one frame of each source; empty if none came in time, None at the end."""
        ...

    def troubles(self) -> dict[int, str]:
        """Why a source gives no good frames now, by its number. Raises DeviceError for a camera that is given up."""
        ...

    def require_frames(self) -> None:
        """Raise DeviceError if a camera has not given a single good frame."""
        ...

    def close(self) -> None:
        """Close all devices."""
        ...


class CameraFeed:
    """The newest frames of several cameras.

    new_frame: the event that every camera sets. fps: the lowest rate that a camera claims. every_s: seconds between answers
    of each camera; frames in between are not even decoded. give_up_s: how long a camera may give no good frame.
    """

    waits = False

    def __init__(
        self,
        cameras: Sequence[Camera],
        new_frame: threading.Event,
        *,
        fps: float | None = None,
        every_s: float | None = None,
        give_up_s: float | None = None,
    ) -> None:
        self.names = tuple(camera.name for camera in cameras)
        self.fps = fps
        self._cameras = cameras
        self._limiters = [RateLimiter(every_s) for _ in cameras]
        self._new_frame = new_frame
        self._give_up_s = give_up_s
        self._without_frames = dict.fromkeys(cameras)

    @property
    def dropped(self) -> int:
        return sum(camera.dropped for camera in self._cameras)

    @property
    def losses(self) -> int:
        return sum(camera.losses for camera in self._cameras)

    @property
    def lost_s(self) -> float:
        return sum(camera.lost_s for camera in self._cameras)

    def next_frames(self, timeout_s: float) -> list[Frame]:
        self._new_frame.wait(timeout_s)
        self._new_frame.clear()
        frames = []
        for camera, limiter in zip(self._cameras, self._limiters, strict=True):
            if frame := camera.take():
                camera.skip_frames_until(limiter.schedule_next())
                frames.append(frame)
                self._without_frames.pop(camera, None)
        return frames

    def troubles(self) -> dict[int, str]:
        for camera in self._cameras:
            if self._give_up_s is not None and camera.silent_s() > self._give_up_s:
                reason = camera.trouble.removeprefix(f"{camera.name}: ") or "it gives no frames"
                raise DeviceError(f"{camera.name}: {reason}; given up after {self._give_up_s:g} s (--give-up)")
        return {number: camera.trouble for number, camera in enumerate(self._cameras) if camera.trouble}

    def require_frames(self) -> None:
        for camera in self._without_frames:
            reason = f" ({camera.trouble})" if camera.trouble else ""
            raise DeviceError(f"{camera.name} has given no image{reason}; check the camera, its address and its settings")

    def close(self) -> None:
        for camera in self._cameras:
            camera.close()


class VideoFeed:
    """Every frame of videos and numbered images, in order."""

    waits = True
    dropped = losses = 0
    lost_s = 0.0

    def __init__(self, source: Source, fps: float | None = None) -> None:
        self.names = source.names
        self.fps = fps
        self._frames: Iterator[Frame | None] = iter(source)

    def next_frames(self, timeout_s: float) -> list[Frame] | None:
        try:
            frame = next(self._frames)
        except StopIteration:
            return None
        return [frame] if frame else []

    def troubles(self) -> dict[int, str]:
        return {}

    def require_frames(self) -> None:
        """A video without frames has a row that says so."""

    def close(self) -> None:
        """The frames close their own files."""


def open_cameras(
    names: Sequence[str],
    settings: RequestedSettings = CAMERA_DEFAULTS,
    *,
    accept: frozenset[str] = frozenset(),
    every_s: float | None = None,
    give_up_s: float | None = None,
) -> CameraFeed:
    """Open cameras, and say on stderr what each one gives.

    accept: as in `Camera.named`. give_up_s: also how long to wait for a camera that does not open; None: not at all.
    Raises DeviceError for a camera that does not open, OptionError for one that is named twice.
    """
    all_names = [camera_name for name in names for camera_name in camera_names(name)]
    for name in all_names:
        if all_names.count(name) > 1:
            raise OptionError(f"the camera {Camera.named(name).name} is named twice; name it once")
    new_frame, deadline = threading.Event(), monotonic() + (give_up_s or 0)
    cameras: list[Camera] = []
    rates = []
    with ExitStack() as opened:
        for number, name in enumerate(all_names):
            make = partial(Camera.named, name, settings, accept=accept, source=number, new_frame=new_frame)
            camera, actual = _start_camera(make, deadline)
            opened.callback(camera.close)
            if camera.name in [other.name for other in cameras]:  # they differ only in a secret, which is masked
                camera.name = f"{camera.name} ({number + 1})"
            difference = actual.differs_from(settings)
            note(f"{camera.name}: {actual}{f' ({difference})' if difference else ''}")
            cameras.append(camera)
            rates.append(actual.fps)
        opened.pop_all()
    fps = min(filter(None, rates), default=None)
    return CameraFeed(cameras, new_frame, fps=fps, every_s=every_s, give_up_s=give_up_s)


def open_videos(names: Sequence[str], sampling: Sampling = EVERY_FRAME, max_pixels: int = MAX_PIXELS) -> VideoFeed:
    """Videos and numbered images. Raises OptionError for any other source, SourceError for a missing one."""
    source = open_source(*names, sampling=sampling, max_pixels=max_pixels)
    for name in names:
        if not (is_video(name) or is_sequence(name)):
            kinds = "cameras, videos and numbered images such as f_%03d.png"
            raise OptionError(f"a live run takes {kinds}, not {name!r}; leave the live options out to classify it")
    return VideoFeed(source, next((frame_rate(name, sampling) for name in names if is_video(name)), None))


def _start_camera(make: Callable[[], Camera], deadline: float) -> tuple[Camera, ActualSettings]:
    """A started camera; one that does not open is made again until the deadline, as `monotonic` counts."""
    waiting = False
    while True:
        camera = make()
        try:
            return camera, camera.start()
        except DeviceError as error:
            left_s = deadline - monotonic()
            if left_s <= 0:
                raise
            if not waiting:
                note(f"{error}; waiting up to {left_s:.0f} s for it")
            waiting = True
            sleep(min(_RETRY_S, left_s))
