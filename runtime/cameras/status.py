"""Whether a camera delivers good frames, and reporting when that changes."""

import threading
from collections.abc import Callable

HANG_S = 5.0


class CameraStatus:
    """The status of one camera, for any thread. All times are seconds of one clock; the camera starts as good at `moment`.

    losses: how many times good frames have stopped. trouble: why there are none now; empty while there are.
    recovery_note: added to the report of the next recovery.
    """

    def __init__(self, name: str, report: Callable[[str], None], moment: float) -> None:
        self.losses = 0
        self.trouble = self.recovery_note = ""
        self._name = name
        self._report = report
        self._lock = threading.Lock()
        self._good_since = self._last_good = moment
        self._lost_s = 0.0

    def mark_good(self, moment: float) -> None:
        """There was a good frame. Reports the end of a loss."""
        with self._lock:
            was_lost, lost_s = bool(self.trouble), moment - self._last_good
            self.trouble, self._last_good = "", moment
            if was_lost:
                self._good_since = moment
                self._lost_s += lost_s
        if was_lost:
            addition, self.recovery_note = self.recovery_note, ""
            self._report(f"{self._name}: back after {lost_s:.1f} s{addition}")

    def mark_lost(self, trouble: str) -> None:
        """There is no good frame, for this reason. Only the first reason of a loss is reported."""
        with self._lock:
            is_new, self.trouble = not self.trouble, trouble
            self.losses += is_new
        if is_new:
            self._report(f"{self._name}: {trouble}; reconnecting")

    def check_for_hang(self, moment: float) -> None:
        """Mark the camera as lost if a read hangs. The thread that hangs cannot do this itself."""
        if not self.trouble and self.silent_s(moment) > HANG_S:
            self.mark_lost(f"no frames for {HANG_S:.0f} s")

    def good_for_s(self, moment: float) -> float:
        """Seconds since the last loss, or since the start; 0 during a loss."""
        return 0.0 if self.trouble else moment - self._good_since

    def silent_s(self, moment: float) -> float:
        """Seconds since the last good frame."""
        return moment - self._last_good

    def lost_s(self, moment: float) -> float:
        """The total duration of all losses, each from the last good frame to the next one."""
        return self._lost_s + (self.silent_s(moment) if self.trouble else 0.0)
