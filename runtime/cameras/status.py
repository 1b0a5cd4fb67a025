"""When a camera last gave a good image, what is wrong with it while it gives none, and telling people so, once."""

import threading
from collections.abc import Callable

HANG_S = 5.0


class CameraStatus:
    """Of one camera, for any thread. Moments are seconds of one clock; the camera counts as good at the first, `moment`.

    losses: how often good images have stopped. trouble: why there are none at present; empty while there are.
    news: what is to be said with the end of a loss.
    """

    def __init__(self, name: str, report: Callable[[str], None], moment: float) -> None:
        self.losses = 0
        self.trouble = self.news = ""
        self._name = name
        self._report = report
        self._lock = threading.Lock()
        self._good_since = self._last_good = moment
        self._lost_s = 0.0

    def good(self, moment: float) -> None:
        """There was a good image."""
        with self._lock:
            was_lost, lost_s = bool(self.trouble), moment - self._last_good
            self.trouble, self._last_good = "", moment
            if was_lost:
                self._good_since = moment
                self._lost_s += lost_s
        if was_lost:
            news, self.news = self.news, ""
            self._report(f"{self._name}: back after {lost_s:.1f} s{news}")

    def bad(self, trouble: str) -> None:
        """There is no good image, for this reason. Only the first of a loss is reported."""
        with self._lock:
            is_new, self.trouble = not self.trouble, trouble
            self.losses += is_new
        if is_new:
            self._report(f"{self._name}: {trouble}; reconnecting")

    def check(self, moment: float) -> None:
        """Notice a read that hangs: the thread in it cannot."""
        if not self.trouble and self.silent_s(moment) > HANG_S:
            self.bad(f"it has given nothing for {HANG_S:.0f} s")

    def steady_s(self, moment: float) -> float:
        """How long it has been good without a loss."""
        return 0.0 if self.trouble else moment - self._good_since

    def silent_s(self, moment: float) -> float:
        """How long ago the last good image was."""
        return moment - self._last_good

    def lost_s(self, moment: float) -> float:
        """The sum of all losses, each from the last good image to the next one."""
        return self._lost_s + (self.silent_s(moment) if self.trouble else 0.0)
