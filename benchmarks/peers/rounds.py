"""Candidates on the same job in interleaved rounds, each in a process of its own that waits while another one runs."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.progress import Progress

Rates = dict[str, float]
"""By candidate, pictures a second in one round."""
_Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Candidate:
    """module: in this package; its `prepare(folder)` returns what runs once over the pictures and counts them.

    pinned: this many processes at the same time, each on a core of its own; their rates are added up.
    times: what the rate is multiplied by.
    """

    module: str
    pinned: int = 0
    times: int = 1


def measure(candidates: Mapping[str, Candidate], folder: Path, rounds: int) -> list[Rates]:
    """The rates of every candidate over `folder/photographs`, a dictionary a round; a first round warms up.

    Each round begins with another candidate, so that none always follows the same one. Raises EdgeclfError for a candidate
    that ends by itself.
    """
    names = list(candidates)
    measured = []
    with ExitStack() as stack, Progress("measuring", (rounds + 1) * len(names), "runs") as progress:
        running = {
            name: [stack.enter_context(process) for process in _start(candidate, folder)]
            for name, candidate in candidates.items()
        }
        for number in range(rounds + 1):
            first = number % len(names)
            rates = {}
            for name in names[first:] + names[:first]:
                rates[name] = _run(name, running[name]) * candidates[name].times
                progress.advance(1, name)
            measured.append(rates)
    return measured[1:]


def rate(measured: list[Rates], name: str) -> str:
    """A candidate's median rate, for a table."""
    return f"{statistics.median(rates[name] for rates in measured):.0f}"


def ratio(measured: list[Rates], name: str, to: str) -> str:
    """How many times as fast `name` is as `to`: median and quartiles of the ratios within a round, for a table."""
    lower, middle, upper = quartiles([rates[name] / rates[to] for rates in measured])
    return f"{middle:.2f} ({lower:.2f} to {upper:.2f})"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Of at least one value; never outside of them."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def _start(candidate: Candidate, folder: Path) -> Iterator[_Process]:
    line = [sys.executable, "-m", "edgeclf.benchmarks.peers", candidate.module, str(folder)]
    cores = [["--core", str(core)] for core in _cores()[: candidate.pinned]] or [[]]
    for core in cores:
        yield subprocess.Popen([*line, *core], stdin=PIPE, stdout=PIPE, stderr=sys.stderr, bufsize=0)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _run(name: str, processes: list[_Process]) -> float:
    """Let them all run once at the same time; the sum of their rates."""
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        return sum(_answer(process) for process in processes)
    except (BrokenPipeError, ValueError):
        raise EdgeclfError(f"{name!r} has ended before its measurement; what it said is above") from None


def _answer(process: _Process) -> float:
    assert process.stdout is not None
    return float(process.stdout.readline())
