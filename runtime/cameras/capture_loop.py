"""The inside of a camera's thread: read, detector, and open the camera anew whenever it gives no good image."""

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
"""A read error that took longer was a timeout: nothing is gained by two more of them."""
_STEADY_S = 2.0


class CaptureLoop:
    """Reads one camera until `closing` is set. Its methods are for one thread; what it knows may be read from any.

    given: what the camera gives, once it is open. number: of the last image, counted from 1. undecoded: images that
    were passed over. rest_until: until this moment nobody wants one. deliver: takes a good image, its number and when
    it was captured, at once.
    """

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        detector: FaultDetector,
        status: CameraStatus,
        clock: Clock,
        closing: threading.Event,
        deliver: Deliver,
    ) -> None:
        self.given: ActualSettings | None = None
        self.number = self.undecoded = 0
        self.rest_until = 0.0
        self._open_capture = open_capture
        self._detector = detector
        self._status = status
        self._clock = clock
        self._closing = closing
        self._deliver = deliver
        self._doubted_until = 0.0
        self._doubts = _Pauses(1.0, 60.0)
        self._pauses = _Pauses(0.25, 5.0)

    def open(self) -> Capture:
        """Raises DeviceError."""
        capture = self._open_capture()
        if self.given and self.given != capture.given:
            self._status.news = f"; it gives {capture.given} now"
        self.given = capture.given
        return capture

    def run(self, capture: Capture | None) -> None:
        """Go on for ever; a capture is always closed before the next is opened, for some devices can be open only once."""
        while capture:
            try:
                pause_s = self._read(capture)
            finally:
                capture.close()
            capture = self._reopen(pause_s)

    def _reopen(self, pause_s: float) -> Capture | None:
        """The camera, as soon as it opens; None after `closing`."""
        while not self._clock.wait(self._closing, pause_s):
            began = self._clock.now()
            try:
                return self.open()
            except (DeviceError, OSError, cv2.error) as error:
                self._status.bad(first_line(error))
            pause_s = max(self._pauses.shortest_s, self._pauses.next_s() - (self._clock.now() - began))
        return None

    def _read(self, capture: Capture) -> float:
        """Read until the camera has to be opened anew, which should be in so many seconds."""
        self._detector.reopened()
        errors = 0
        while not self._closing.is_set():
            began = self._clock.now()
            try:
                grabbed = capture.grab()
                moment = self._clock.now()
                resting = grabbed and moment < self.rest_until
                image = capture.retrieve() if grabbed and not resting else None
            except (OSError, cv2.error) as error:
                return self._lost(f"reading it failed: {first_line(error)}")
            if image is None and not resting:
                errors += 1
                if errors > _ERRORS_TOLERATED or self._clock.now() - began > _TIMEOUT_S:
                    return self._lost("it gives no images")
                continue
            errors = 0
            self.number += 1
            if image is None:
                self._pass_over(moment)
            elif (pause_s := self._use(image, moment)) is not None:
                return pause_s
        return 0.0

    def _pass_over(self, moment: float) -> None:
        self.undecoded += 1
        if not self._status.trouble:
            self._status.good(moment)

    def _use(self, image: Pixels, moment: float) -> float | None:
        """Deliver it if it is good. How soon the camera should be opened anew; None: it should not."""
        trouble = self._detector.look(image, moment)
        if not trouble:
            self._deliver(image, self.number, moment)
            self._status.good(moment)
            if self._status.steady_s(moment) >= _STEADY_S:
                self._pauses.reset()
                self._doubts.reset()
                self._doubted_until = 0.0
            return None
        self._status.bad(trouble)
        if moment < self._doubted_until:  # it is read on: the first good image ends the trouble
            return None
        self._doubted_until = moment + self._doubts.next_s()
        return 0.0

    def _lost(self, trouble: str) -> float:
        self._status.bad(trouble)
        return self._pauses.next_s()


class _Pauses:
    """Back-off: each pause is twice the one before, up to the longest."""

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        self.shortest_s = shortest_s
        self._longest_s = longest_s
        self._next_s = shortest_s

    def next_s(self) -> float:
        pause_s, self._next_s = self._next_s, min(self._longest_s, self._next_s * 2)
        return pause_s

    def reset(self) -> None:
        self._next_s = self.shortest_s
