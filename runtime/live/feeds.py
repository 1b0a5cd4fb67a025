"""Where a live run's frames come from: cameras, whose newest ones count, or files, whose every frame does."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Protocol

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.capture import camera_names
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, ActualSettings, RequestedSettings
from edgeclf.runtime.errors import DeviceError, OptionError
from edgeclf.runtime.images.decode import MAX_PIXELS
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.live.rate_limit import RateLimiter
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.sequences import is_sequence
from edgeclf.runtime.sources.source import Source, open_source
from edgeclf.runtime.sources.videos import frame_rate, is_video
from edgeclf.runtime.terminal.console import note

_RETRY_S = 1.0


class Feed(Protocol):
    """names: of its sources, as `Frame.source` counts them. fps: frames a second, where that is known. dropped, losses,
    lost_s: as in LiveSummary. waits: whether frames wait until they are wanted.
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

    def next(self, within_s: float) -> list[Frame] | None:
        """At most one frame a source; none when none came in time; None when there are no more."""
        ...

    def troubles(self) -> dict[int, str]:
        """Sources that give no image at present, and why. Raises DeviceError for one that is given up."""
        ...

    def close(self) -> None:
        """Let go of all devices."""
        ...


class CameraFeed:
    """Several cameras; the newest image of each. news: set by each of them. fps: what they are said to give.

    most_a_second: frames of each camera; those between are not even decoded. give_up_s: how long one may be silent.
    """

    waits = False

    def __init__(
        self,
        cameras: Sequence[Camera],
        news: threading.Event,
        *,
        fps: float | None = None,
        most_a_second: float | None = None,
        give_up_s: float | None = None,
    ) -> None:
        self.names = tuple(camera.name for camera in cameras)
        self.fps = fps
        self._cameras = cameras
        self._paces = [RateLimiter(most_a_second) for _ in cameras]
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
        frames = []
        for camera, limiter in zip(self._cameras, self._paces, strict=True):
            if frame := camera.take():
                camera.skip_frames_until(limiter.turn())
                frames.append(frame)
        return frames

    def troubles(self) -> dict[int, str]:
        for camera in self._cameras:
            if self._give_up_s is not None and camera.silent_s() > self._give_up_s:
                why = camera.trouble.removeprefix(f"{camera.name}: ") or "it gives no image"
                raise DeviceError(f"{camera.name}: {why}, for {self._give_up_s:g} s now; given up as --give-up asks")
        return {number: camera.trouble for number, camera in enumerate(self._cameras) if camera.trouble}

    def close(self) -> None:
        for camera in self._cameras:
            camera.close()


class PlayedFeed:
    """Videos and numbered images, frame by frame, none left out."""

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

    def troubles(self) -> dict[int, str]:
        return {}

    def close(self) -> None:
        """The frames close their own files."""


def open_cameras(
    names: Sequence[str],
    wanted: RequestedSettings = CAMERA_DEFAULTS,
    *,
    accept: frozenset[str] = frozenset(),
    most_a_second: float | None = None,
    give_up_s: float | None = None,
) -> CameraFeed:
    """Cameras that give images; says on stderr what each gives. give_up_s: wait so long for those that are not there yet.

    accept: as in `Camera.named`. Raises DeviceError for a camera that is not there, OptionError for one that is named twice.
    """
    all_names = [one for name in names for one in camera_names(name)]
    for name in all_names:
        if all_names.count(name) > 1:
            raise OptionError(f"the camera {Camera.named(name).name} is named twice; name each once")
    news, until = threading.Event(), monotonic() + (give_up_s or 0)
    cameras: list[Camera] = []
    rates = []
    with ExitStack() as opened:
        for number, name in enumerate(all_names):
            camera, given = _open_camera(name, wanted, accept, number, news, until)
            opened.callback(camera.close)
            if camera.name in [other.name for other in cameras]:  # they differ in what is not to be shown
                camera.name = f"{camera.name} ({number + 1})"
            differs = given.differs_from(wanted)
            note(f"{camera.name}: {given}{f' ({differs})' if differs else ''}")
            cameras.append(camera)
            rates.append(given.fps)
        opened.pop_all()
    fps = min(filter(None, rates), default=None)
    return CameraFeed(cameras, news, fps=fps, most_a_second=most_a_second, give_up_s=give_up_s)


def play(names: Sequence[str], sampling: Sampling = EVERY_FRAME, max_pixels: int = MAX_PIXELS) -> PlayedFeed:
    """Videos and numbered images. Raises OptionError for anything else, SourceError for what is not there."""
    source = open_source(*names, sampling=sampling, max_pixels=max_pixels)
    for name in names:
        if not (is_video(name) or is_sequence(name)):
            what = "a live run watches cameras, videos, and numbered images such as f_%03d.png"
            raise OptionError(f"{what}, and {name!r} is none; leave the live options out")
    return PlayedFeed(source, next((frame_rate(name, sampling) for name in names if is_video(name)), None))


def _open_camera(
    name: str, wanted: RequestedSettings, accept: frozenset[str], number: int, news: threading.Event, until: float
) -> tuple[Camera, ActualSettings]:
    """until: when to raise the DeviceError of a camera that does not open, as `monotonic` counts."""
    is_said = False
    while True:
        camera = Camera.named(name, wanted, accept=accept, source=number, new_frame=news)
        try:
            return camera, camera.start()
        except DeviceError as error:
            left_s = until - monotonic()
            if left_s <= 0:
                raise
            if not is_said:
                note(f"{error}; waiting for it, {left_s:.0f} s at most")
            is_said = True
            sleep(min(_RETRY_S, left_s))
