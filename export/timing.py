"""Times exported files side by side on this machine, and picks the one to ship."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

ROUNDS = 30
WARM_UP = 3
MAX_SECONDS = 10.0
"""The time for all files together."""
SAME_SPEED = 1.05
"""Times within this factor count as equal, because the noise of a machine is of that order."""


def milliseconds(runs: Sequence[Callable[[], object]]) -> list[float]:
    """The median time of each run in ms. Each round runs all of them once, so that a busy moment affects all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        for _ in range(WARM_UP):
            run()
    started = time.perf_counter()
    while len(times[0]) < ROUNDS and (len(times[0]) < 3 or time.perf_counter() - started < MAX_SECONDS):
        for run, taken in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            taken.append((time.perf_counter() - begin) * 1e3)
    return [statistics.median(taken) for taken in times]


class Performance(NamedTuple):
    """Time per image, number of correct predictions and size of one file."""

    milliseconds: float
    correct: int
    size_bytes: int


def pareto(files: Sequence[Performance]) -> list[bool]:
    """For each file, whether no other one beats it in time, accuracy or size without losing in another of the three."""
    return [not any(_beats(other, one) for other in files) for one in files]


def pick_best(files: Sequence[Performance]) -> int:
    """The index of the file to ship: of those within 5 % of the fastest, the most accurate; if equal, the smallest.

    The gate has already found all of them accurate enough.
    """
    limit = min(one.milliseconds for one in files) * SAME_SPEED
    fast = [index for index, one in enumerate(files) if one.milliseconds <= limit]
    return min(fast, key=lambda index: (-files[index].correct, files[index].size_bytes))


def _beats(one: Performance, other: Performance) -> bool:
    mine, others = ((p.milliseconds, -p.correct, p.size_bytes) for p in (one, other))
    return all(a <= b for a, b in zip(mine, others, strict=True)) and mine != others
