"""Candidates on the same job in interleaved rounds, each in a process of its own that waits while another one runs."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import PIPE

from edgeclf.benchmarks.interleaving import interleaved_rounds
from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.progress import Progress

Rates = dict[str, float]
"""By candidate, images a second in one round."""
_Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Candidate:
    """module: in this package. python: of the environment that it runs in, where that is not this one.

    pinned: this many processes at the same time, each on a core of its own; their rates are added up.
    times: what the rate is multiplied by. most: of the images that a round takes, for a module that is slow.
    """

    module: str
    python: Path | None = None
    pinned: int = 0
    times: int = 1
    most: int | None = None


def measure(candidates: Mapping[str, Candidate], folder: Path, rounds: int) -> list[Rates]:
    """The rates of every candidate over `folder/photographs`, a dictionary a round; a first round warms up.

    Each round begins with another candidate, so that none always follows the same one. Raises EdgeclfError for a candidate
    that ends by itself.
    """
    names = list(candidates)
    measured = []
    with ExitStack() as stack, Progress("measuring", (rounds + 1) * len(names), "run") as progress:
        running = {
            name: [stack.enter_context(process) for process in _start(candidate, folder)]
            for name, candidate in candidates.items()
        }
        for order in interleaved_rounds(names, rounds + 1):
            rates = {}
            for name in order:
                rates[name] = sum(rate for rate, _ in _run(name, running[name])) * candidates[name].times
                progress.advance(1, name)
            measured.append(rates)
    return measured[1:]


def answers(candidates: Mapping[str, Candidate], folder: Path) -> dict[str, list[int]]:
    """The label's index of every image in `folder/photographs`, by candidate; one runs, once, after the other.

    Raises EdgeclfError for a candidate that ends by itself.
    """
    found = {}
    with Progress("answering", len(candidates), "candidate") as progress:
        for name, candidate in candidates.items():
            with ExitStack() as stack:
                running = [stack.enter_context(process) for process in _start(replace(candidate, most=None), folder)]
                _, found[name] = _run(name, running)[0]
            progress.advance(1, name)
    return found


def rate(measured: list[Rates], name: str) -> str:
    """A candidate's median rate, for a table."""
    median = statistics.median(rates[name] for rates in measured)
    return f"{median:.0f}" if median >= 10 else f"{median:.1f}"


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
    python = [str(candidate.python), "-I"] if candidate.python else [sys.executable]
    line = [*python, "-m", "edgeclf.benchmarks.peers", candidate.module, str(folder)]
    most = [] if candidate.most is None else ["--most", str(candidate.most)]
    cores = [["--core", str(core)] for core in _cores()[: candidate.pinned]] or [[]]
    for core in cores:
        yield subprocess.Popen([*line, *most, *core], stdin=PIPE, stdout=PIPE, stderr=sys.stderr, bufsize=0)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _run(name: str, processes: list[_Process]) -> list[tuple[float, list[int]]]:
    """Let them all run once at the same time; the rate and the answers of each."""
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        return [_answer(process) for process in processes]
    except (BrokenPipeError, ValueError):
        raise EdgeclfError(f"{name!r} has ended before its measurement; what it said is above") from None


def _answer(process: _Process) -> tuple[float, list[int]]:
    assert process.stdout is not None
    rate, labels = json.loads(process.stdout.readline())
    return rate, labels
