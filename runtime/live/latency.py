"""Percentiles of millions of times in the memory of a few hundred numbers."""

import math
from collections import Counter

_WIDTH = math.log(1.01)
_LEAST_S = 1e-6


class Latency:
    """Counts times in classes that are 1 % wide, so every percentile is right to half of that.

    >>> latency = Latency()
    >>> for milliseconds in range(1, 1001):
    ...     latency.add(milliseconds / 1000)
    >>> round(latency.percentile_ms(50)), round(latency.percentile_ms(99))
    (500, 990)
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[round(math.log(max(seconds, _LEAST_S)) / _WIDTH)] += 1

    def percentile_ms(self, percent: float) -> float | None:
        """The time in milliseconds that `percent` of a hundred stayed within; None before the first one."""
        wanted = self._counts.total() * percent / 100
        for number, count in sorted(self._counts.items()):
            wanted -= count
            if wanted <= 0:
                return math.exp(number * _WIDTH) * 1000
        return None

    def to_json(self) -> dict[str, float | None]:
        """p50, p95 and p99 in milliseconds."""
        return {f"p{percent}": _rounded(self.percentile_ms(percent)) for percent in (50, 95, 99)}


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)
