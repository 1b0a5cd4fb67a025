"""How long artefacts take on this machine, side by side, and which of them to ship."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

ROUNDS = 30
WARM_UP = 3
MOST_SECONDS = 10.0
"""What all candidates together may take."""
SAME_SPEED = 1.05
"""Times closer than this are the same: the machine's noise is of that order."""


def milliseconds(runs: Sequence[Callable[[], object]]) -> list[float]:
    """The median time of each, in ms: round after round, each once, so that a busy moment of the machine meets all."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        for _ in range(WARM_UP):
            run()
    started = time.perf_counter()
    while len(times[0]) < ROUNDS and (len(times[0]) < 3 or time.perf_counter() - started < MOST_SECONDS):
        for run, taken in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            taken.append((time.perf_counter() - begin) * 1e3)
    return [statistics.median(taken) for taken in times]


class Performance(NamedTuple):
    """What an artefact costs and gives: milliseconds an image, right answers, bytes."""

    milliseconds: float
    correct: int
    size_bytes: int


def pareto(candidates: Sequence[Performance]) -> list[bool]:
    """Which ones no other beats in time, accuracy or size without losing in one of the three."""
    return [not any(_beats(other, one) for other in candidates) for one in candidates]


def choose(candidates: Sequence[Performance]) -> int:
    """The one to ship: of the fastest, which the gate has already found accurate enough, the most accurate, the smallest."""
    limit = min(one.milliseconds for one in candidates) * SAME_SPEED
    fast = [index for index, one in enumerate(candidates) if one.milliseconds <= limit]
    return min(fast, key=lambda index: (-candidates[index].correct, candidates[index].size_bytes))


def _beats(one: Performance, other: Performance) -> bool:
    mine, others = ((c.milliseconds, -c.correct, c.size_bytes) for c in (one, other))
    return all(a <= b for a, b in zip(mine, others, strict=True)) and mine != others
