"""How often a live run answers: evenly, and never in a burst to make up for a delay."""

import time
from collections.abc import Callable


class RateLimiter:
    """most_a_second: turns a second; None for as many as can be."""

    def __init__(
        self,
        most_a_second: float | None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._period_s = 1 / most_a_second if most_a_second else 0.0
        self._due = float("-inf")
        self._now = now
        self._sleep = sleep

    def rest(self, most_s: float) -> bool:
        """Sleep until the next turn, `most_s` at most; whether there is still time until then."""
        left = self._due - self._now()
        if left > 0:
            self._sleep(min(left, most_s))
        return left > most_s

    def turn(self) -> float:
        """A turn is taken. Returns when the next one is due, as `now` counts."""
        now = self._now()
        on_time = now - self._due < self._period_s
        self._due = (self._due if on_time else now) + self._period_s
        return self._due
