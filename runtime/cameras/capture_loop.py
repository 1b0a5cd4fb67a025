"""What the thread of a camera does: read frames, check them, and reopen the camera whenever it gives no good ones."""

import threading
from collections.abc import Callable

import cv2

from edgeclf.runtime.cameras.clock import Clock
from edgeclf.runtime.cameras.faults import FaultDetector
from edgeclf.runtime.cameras.settings import ActualSettings, Capture
from edgeclf.runtime.cameras.status import CameraStatus
from edgeclf.runtime.errors import DeviceError, first_line
from edgeclf.runtime.images.decode import Pixels

Deliver = Callable[[Pixels, int, float], None]

_ERRORS_TOLERATED = 2
_TIMEOUT_S = 1.0
"""A read error that took longer was a timeout, which is not tolerated: two more would only take longer."""
_STABLE_S = 2.0
"""Back-off restarts after the camera has been good for this long."""


class CaptureLoop:
    """Reads one camera until `closing` is set. One thread calls the methods; any thread may read the attributes.

    actual: the settings of the camera once it is open. number: of the last frame, counted from 1. skipped: the number of
    frames that were not decoded. skip_until: until this moment, frames are not needed and not decoded. deliver: takes each
    good image, its number and the moment of its capture, and returns quickly.
    """

    def __init__(
        self,
        *,
        open_capture: Callable[[], Capture],
        detector: FaultDetector,
        status: CameraStatus,
        clock: Clock,
        closing: threading.Event,
        deliver: Deliver,
    ) -> None:
        self.actual: ActualSettings | None = None
        self.number = self.skipped = 0
        self.skip_until = 0.0
        self._open_capture = open_capture
        self._detector = detector
        self._status = status
        self._clock = clock
        self._closing = closing
        self._deliver = deliver
        self._next_fault_reopening = 0.0
        self._fault_pauses = _BackOff(1.0, 60.0)
        self._error_pauses = _BackOff(0.25, 5.0)

    def open(self) -> Capture:
        """Open the camera. Raises DeviceError."""
        capture = self._open_capture()
        if self.actual and self.actual != capture.actual:
            self._status.recovery_note = f"; it now gives {capture.actual}"
        self.actual = capture.actual
        return capture

    def run(self, capture: Capture | None) -> None:
        """Read until `closing`. A capture is always closed before the next one opens: some devices allow only one."""
        while capture:
            try:
                pause_s = self._read_until_lost(capture)
            finally:
                capture.close()
            capture = self._reopen(pause_s)

    def _reopen(self, pause_s: float) -> Capture | None:
        """The camera as soon as it opens; None after `closing`."""
        while not self._clock.wait(self._closing, pause_s):
            began = self._clock.now()
            try:
                return self.open()
            except (DeviceError, OSError, cv2.error) as error:
                self._status.mark_lost(first_line(error))
            attempt_s = self._clock.now() - began
            pause_s = max(self._error_pauses.shortest_s, self._error_pauses.next_s() - attempt_s)
        return None

    def _read_until_lost(self, capture: Capture) -> float:
        """Read until the camera must be reopened. Returns the pause before that, in seconds."""
        self._detector.accept_new_size()
        errors = 0
        while not self._closing.is_set():
            began = self._clock.now()
            try:
                grabbed = capture.grab()
                moment = self._clock.now()
                skip = grabbed and moment < self.skip_until
                image = capture.retrieve() if grabbed and not skip else None
            except (OSError, cv2.error) as error:
                return self._lose(f"reading it failed: {first_line(error)}")
            if image is None and not skip:
                errors += 1
                if errors > _ERRORS_TOLERATED or self._clock.now() - began > _TIMEOUT_S:
                    return self._lose("it gives no frames")
                continue
            errors = 0
            self.number += 1
            if image is None:
                self._skip(moment)
            elif self._must_reopen(image, moment):
                return 0.0
        return 0.0

    def _skip(self, moment: float) -> None:
        self.skipped += 1
        if not self._status.trouble:
            self._status.mark_good(moment)

    def _must_reopen(self, image: Pixels, moment: float) -> bool:
        """Deliver the image if it is good. Returns whether the camera should be reopened now because it is not."""
        fault = self._detector.check(image, moment)
        if not fault:
            self._deliver(image, self.number, moment)
            self._status.mark_good(moment)
            if self._status.good_for_s(moment) >= _STABLE_S:
                self._error_pauses.reset()
                self._fault_pauses.reset()
                self._next_fault_reopening = 0.0
            return False
        self._status.mark_lost(fault)
        if moment < self._next_fault_reopening:  # keep reading meanwhile: the first good frame ends the loss
            return False
        self._next_fault_reopening = moment + self._fault_pauses.next_s()
        return True

    def _lose(self, trouble: str) -> float:
        self._status.mark_lost(trouble)
        return self._error_pauses.next_s()


class _BackOff:
    """Pauses that double each time, up to the longest."""

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        self.shortest_s = shortest_s
        self._longest_s = longest_s
        self._next_s = shortest_s

    def next_s(self) -> float:
        pause_s, self._next_s = self._next_s, min(self._longest_s, self._next_s * 2)
        return pause_s

    def reset(self) -> None:
        self._next_s = self.shortest_s
