"""A camera that heals: a thread keeps its newest good image, and opens it anew whenever it gives none."""

import threading
from collections.abc import Callable
from functools import partial

from edgeclf.runtime.cameras.capture import open_capture, shown_name
from edgeclf.runtime.cameras.capture_loop import CaptureLoop
from edgeclf.runtime.cameras.clock import Clock, RealClock
from edgeclf.runtime.cameras.faults import FaultDetector, fault_detector
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, ActualSettings, Capture, RequestedSettings
from edgeclf.runtime.cameras.status import CameraStatus
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.terminal.console import note

OPEN_S = 20.0
CLOSE_S = 3.0


class Camera:
    """One camera, read by a thread of its own from `start` to `close`.

    name: as rows and notes show it. new is set whenever there is a new image, so that one loop can wait for several
    cameras: wait, clear, then take from each. report: gets a sentence when good images stop, and when they are back.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        *,
        source: int = 0,
        detector: FaultDetector | None = None,
        new: threading.Event | None = None,
        report: Callable[[str], None] = note,
        clock: Clock | None = None,
    ) -> None:
        self.name = shown_name(name)
        self._source = source
        self._new = new or threading.Event()
        self._clock = clock or RealClock()
        self._status = CameraStatus(self.name, report, self._clock.now())
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._newest: Frame | None = None
        self._untaken = 0
        self._loop = CaptureLoop(
            open_capture, detector or fault_detector(name), self._status, self._clock, self._closing, self._put
        )
        self._thread = threading.Thread(target=self._run, name=f"camera {self.name}", daemon=True)

    @classmethod
    def named(
        cls,
        name: str,
        wanted: RequestedSettings = CAMERA_DEFAULTS,
        *,
        accept: frozenset[str] = frozenset(),
        source: int = 0,
        new: threading.Event | None = None,
        report: Callable[[str], None] = note,
    ) -> "Camera":
        """The camera, stream or screen of one of `camera_names`. accept: as in FaultDetector. Raises OptionError."""
        opener = partial(open_capture, name, wanted)
        return cls(name, opener, source=source, detector=fault_detector(name, accept), new=new, report=report)

    def start(self) -> ActualSettings:
        """Wait until it is open. Raises DeviceError; then it is closed."""
        self._thread.start()
        if not self._clock.wait(self._opened, OPEN_S):
            self._closing.set()  # should it open yet, it is closed at once
            cure = "check its cable, its power or its network"
            raise DeviceError(f"camera {self.name} has not opened within {OPEN_S:.0f} s; {cure}")
        if self._failure:
            self._thread.join()
            raise self._failure
        assert self._loop.given
        return self._loop.given

    def take(self) -> Frame | None:
        """The newest good image if nobody took it yet, at once. A bug that ended the thread is raised here."""
        if self._failure:
            raise self._failure
        self._status.check(self._clock.now())
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def rest_until(self, moment: float) -> None:
        """Nobody wants an image before this moment of the clock: until then none is decoded, which saves that work."""
        self._loop.rest_until = moment

    @property
    def dropped(self) -> int:
        """Good images that nobody took, and those that were not even decoded."""
        return self._untaken + self._loop.undecoded

    @property
    def trouble(self) -> str:
        """Why there is no good image at present, half a sentence for people; empty while there are some."""
        return self._status.trouble

    @property
    def losses(self) -> int:
        """How often good images have stopped."""
        return self._status.losses

    @property
    def lost_s(self) -> float:
        """For how long in all, each time from the last good image to the next."""
        return self._status.lost_s(self._clock.now())

    def silent_s(self) -> float:
        """How long ago the last good image was, or the start; it grows while a read hangs, too."""
        return self._status.silent_s(self._clock.now())

    def close(self) -> None:
        """End the thread. One that hangs in a driver is left behind: it ends when that lets go, or with the process."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            capture = self._loop.open()
            self._status.good(self._clock.now())
            self._opened.set()
            self._loop.run(capture)
        except Exception as error:
            self._failure = error
        finally:
            self._opened.set()
            self._new.set()

    def _put(self, image: Pixels, number: int, moment: float) -> None:
        name = f"{self.name}#frame={number}"
        image.setflags(write=False)  # the detector compares the next one with it
        frame = Frame(name, image, name, self._source, captured_at=moment)
        with self._lock:
            self._untaken += self._newest is not None
            self._newest = frame
        self._new.set()
