"""Measures peers on the same images in interleaved rounds; each runs in its own process, which waits while another runs."""

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
"""Images per second in one round, by peer."""
_Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Peer:
    """One way to classify images. module: in this package. python: of the environment it needs; None for this one.

    pinned: run this many processes at once, each on its own core, and add up their rates. times: multiply the rate by this.
    most: images per round, for a slow module.
    """

    module: str
    python: Path | None = None
    pinned: int = 0
    times: int = 1
    most: int | None = None


def measure(peers: Mapping[str, Peer], folder: Path, rounds: int) -> list[Rates]:
    """The rates of all peers for `folder/photographs`, one dictionary per round. An extra first round warms up.

    Raises EdgeclfError for a peer whose process ends.
    """
    names = list(peers)
    measured = []
    with ExitStack() as stack, Progress("measuring", (rounds + 1) * len(names), "run") as progress:
        running = {name: [stack.enter_context(process) for process in _start(peer, folder)] for name, peer in peers.items()}
        for order in interleaved_rounds(names, rounds + 1):
            rates = {}
            for name in order:
                rates[name] = sum(rate for rate, _ in _run(name, running[name])) * peers[name].times
                progress.advance(1, name)
            measured.append(rates)
    return measured[1:]


def predictions(peers: Mapping[str, Peer], folder: Path) -> dict[str, list[int]]:
    """By peer, the label index of every image in `folder/photographs`. The peers run once each, one after the other.

    Raises EdgeclfError for a peer whose process ends.
    """
    found = {}
    with Progress("classifying", len(peers), "peer") as progress:
        for name, peer in peers.items():
            with ExitStack() as stack:
                running = [stack.enter_context(process) for process in _start(replace(peer, most=None), folder)]
                _, found[name] = _run(name, running)[0]
            progress.advance(1, name)
    return found


def rate(measured: list[Rates], name: str) -> str:
    """The median rate as text, for a table."""
    median = statistics.median(rates[name] for rates in measured)
    return f"{median:.0f}" if median >= 10 else f"{median:.1f}"


def ratio(measured: list[Rates], name: str, to: str) -> str:
    """How many times as fast `name` is as `to`, as text: median and quartiles of the ratios within a round."""
    lower, middle, upper = quartiles([rates[name] / rates[to] for rates in measured])
    return f"{middle:.2f} ({lower:.2f} to {upper:.2f})"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Of one or more values; never outside their range."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


def _start(peer: Peer, folder: Path) -> Iterator[_Process]:
    python = [str(peer.python), "-I"] if peer.python else [sys.executable]
    line = [*python, "-m", "edgeclf.benchmarks.peers", peer.module, str(folder)]
    most = [] if peer.most is None else ["--most", str(peer.most)]
    cores = [["--core", str(core)] for core in _cores()[: peer.pinned]] or [[]]
    for core in cores:
        yield subprocess.Popen([*line, *most, *core], stdin=PIPE, stdout=PIPE, stderr=sys.stderr, bufsize=0)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _run(name: str, processes: list[_Process]) -> list[tuple[float, list[int]]]:
    """Run all of them once, at the same time. Returns the rate and the labels of each."""
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        return [_read_result(process) for process in processes]
    except (BrokenPipeError, ValueError):
        raise EdgeclfError(f"{name!r} has ended before it was measured; see its messages above") from None


def _read_result(process: _Process) -> tuple[float, list[int]]:
    assert process.stdout is not None
    rate, labels = json.loads(process.stdout.readline())
    return rate, labels
