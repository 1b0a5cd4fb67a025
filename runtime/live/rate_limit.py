"""How often a camera's frames are answered: at even intervals, without a burst to make up for a delay."""

import time
from collections.abc import Callable


class RateLimiter:
    """Spaces answers `every_s` seconds apart; None means unlimited."""

    def __init__(self, every_s: float | None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s or 0.0
        self._due = float("-inf")
        self._now = now

    def schedule_next(self) -> float:
        """Count an answer that is given now. Returns the time, as `now` counts, at which the next one is due."""
        now = self._now()
        on_time = now - self._due < self._every_s
        self._due = (self._due if on_time else now) + self._every_s
        return self._due
