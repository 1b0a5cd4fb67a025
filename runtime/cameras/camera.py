"""A camera that recovers by itself: a thread keeps its newest good frame, and reopens it whenever it stops delivering."""

import threading
from collections.abc import Callable
from functools import partial

from edgeclf.runtime.cameras.capture import open_capture
from edgeclf.runtime.cameras.capture_loop import CaptureLoop
from edgeclf.runtime.cameras.clock import Clock, RealClock
from edgeclf.runtime.cameras.faults import FaultDetector, fault_detector
from edgeclf.runtime.cameras.settings import CAMERA_DEFAULTS, ActualSettings, Capture, RequestedSettings
from edgeclf.runtime.cameras.status import CameraStatus
from edgeclf.runtime.errors import DeviceError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.masking import mask

OPEN_S = 20.0
CLOSE_S = 3.0


class Camera:
    """One camera, read by its own thread from `start` to `close`.

    name: as shown in rows and notes, without secrets. new_frame: set whenever there is a new frame; cameras can share it,
    so that one loop waits for all of them: wait, clear, then take from each. report: called with a sentence when good
    frames stop, and when they are back.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        *,
        source: int = 0,
        detector: FaultDetector | None = None,
        new_frame: threading.Event | None = None,
        report: Callable[[str], None] = note,
        clock: Clock | None = None,
    ) -> None:
        self.name = mask(name)
        self._source = source
        self._new_frame = new_frame or threading.Event()
        self._clock = clock or RealClock()
        self._status = CameraStatus(self.name, report, self._clock.now())
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._newest: Frame | None = None
        self._overwritten = 0
        self._loop = CaptureLoop(
            open_capture=open_capture,
            detector=detector or fault_detector(name),
            status=self._status,
            clock=self._clock,
            closing=self._closing,
            deliver=self._keep_newest,
        )
        self._thread = threading.Thread(target=self._run, name=f"camera {self.name}", daemon=True)

    @classmethod
    def named(
        cls,
        name: str,
        requested: RequestedSettings = CAMERA_DEFAULTS,
        *,
        accept: frozenset[str] = frozenset(),
        source: int = 0,
        new_frame: threading.Event | None = None,
        report: Callable[[str], None] = note,
    ) -> "Camera":
        """The camera, stream or screen with one of `camera_names`. accept: see FaultDetector. Raises OptionError."""
        opener = partial(open_capture, name, requested)
        detector = fault_detector(name, accept)
        return cls(name, opener, source=source, detector=detector, new_frame=new_frame, report=report)

    def start(self) -> ActualSettings:
        """Open the camera and wait for it. Raises DeviceError, and then the camera is closed."""
        self._thread.start()
        if not self._clock.wait(self._opened, OPEN_S):
            self._closing.set()  # if it opens later, it is closed immediately
            advice = "check its cable, its power or its network"
            raise DeviceError(f"camera {self.name} has not opened within {OPEN_S:.0f} s; {advice}")
        if self._failure:
            self._thread.join()
            raise self._failure
        assert self._loop.actual
        return self._loop.actual

    def take(self) -> Frame | None:
        """The newest good frame, unless it was taken before; does not wait. Raises the bug that ended the thread, if any."""
        if self._failure:
            raise self._failure
        self._status.check_for_hang(self._clock.now())
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def skip_frames_until(self, moment: float) -> None:
        """Save the work of decoding frames before this moment of the clock, because they are not needed."""
        self._loop.skip_until = moment

    @property
    def dropped(self) -> int:
        """The number of good frames that were not taken or not decoded."""
        return self._overwritten + self._loop.skipped

    @property
    def trouble(self) -> str:
        """Why there are no good frames now, as half a sentence; empty while there are."""
        return self._status.trouble

    @property
    def losses(self) -> int:
        """How many times good frames have stopped."""
        return self._status.losses

    @property
    def lost_s(self) -> float:
        """The total duration of all losses, each from the last good frame to the next one."""
        return self._status.lost_s(self._clock.now())

    def silent_s(self) -> float:
        """Seconds since the last good frame, or since the start; also grows while a read hangs."""
        return self._status.silent_s(self._clock.now())

    def close(self) -> None:
        """End the thread. A thread that hangs in a driver is left behind; it ends with the driver call or the process."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            capture = self._loop.open()
            self._status.mark_good(self._clock.now())
            self._opened.set()
            self._loop.run(capture)
        except Exception as error:
            self._failure = error
        finally:
            self._opened.set()
            self._new_frame.set()

    def _keep_newest(self, image: Pixels, number: int, moment: float) -> None:
        name = f"{self.name}#frame={number}"
        image.setflags(write=False)  # the detector compares the next one with it
        frame = Frame(name, image, name, self._source, captured_at=moment)
        with self._lock:
            self._overwritten += self._newest is not None
            self._newest = frame
        self._new_frame.set()
