"""Percentiles of millions of latencies, kept in the memory of a few hundred numbers."""

import math
from collections import Counter

_BIN_WIDTH = math.log(1.01)
_SHORTEST_S = 1e-6


class Latency:
    """Counts latencies in bins that are 1 % wide, so every percentile is correct to within 0.5 %.

    >>> latency = Latency()
    >>> for milliseconds in range(1, 1001):
    ...     latency.add(milliseconds / 1000)
    >>> round(latency.percentile_ms(50)), round(latency.percentile_ms(99))
    (498, 990)
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one latency."""
        self._counts[round(math.log(max(seconds, _SHORTEST_S)) / _BIN_WIDTH)] += 1

    def percentile_ms(self, percent: float) -> float | None:
        """The latency in milliseconds that `percent` (0 to 100) of all answers did not exceed; None before the first."""
        remaining = self._counts.total() * percent / 100
        for bin_number, count in sorted(self._counts.items()):
            remaining -= count
            if remaining <= 0:
                return math.exp(bin_number * _BIN_WIDTH) * 1000
        return None

    def to_json(self) -> dict[str, float | None]:
        """p50, p95 and p99 in milliseconds."""
        return {f"p{percent}": _rounded(self.percentile_ms(percent)) for percent in (50, 95, 99)}


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)
