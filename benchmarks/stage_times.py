"""A command measured from outside: its seconds, those of all cores, and when it printed each line."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_BEGINS = {"head": r"head: ", "fine-tuning": r"fine-tuning: at most ", "training": r"training: at most ", "": r"evaluating "}
"""The first line of each stage of `clf-train`; the last one ends them."""
_FIRST_EPOCH = re.compile(r"epoch 1/.* ([\d.]+) (s|min|h)$")
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Measured:
    """code: the exit code. seconds: by the clock. cpu_seconds: of all cores. lines: of stderr, with their seconds since the
    start."""

    code: int
    seconds: float
    cpu_seconds: float
    lines: tuple[tuple[float, str], ...]


def measure(command: Sequence[str]) -> Measured:
    """Run a command, and repeat what it says on stderr."""
    used, started, lines = cpu_seconds_of_children(), time.perf_counter(), []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append((time.perf_counter() - started, line.rstrip()))
            sys.stderr.write(line)
    seconds, cpu_seconds = time.perf_counter() - started, cpu_seconds_of_children() - used
    return Measured(process.returncode, seconds, cpu_seconds, tuple(lines))


def stage_seconds(lines: Sequence[tuple[float, str]]) -> dict[str, float]:
    """Seconds of each stage of `clf-train` that the lines tell of. The features come before the first epoch of the head.

    >>> said = "head: at most 60 epochs", "epoch 1/60: loss 1; 2.0 s", "fine-tuning: at most 12 epochs", "evaluating ..."
    >>> stage_seconds(list(zip((10.0, 18.0, 30.0, 70.0), said)))
    {'head': 14.0, 'fine-tuning': 40.0, 'features': 6.0}
    """
    begun = [(at, name) for at, line in lines for name, begin in _BEGINS.items() if re.match(begin, line)]
    firsts = {name: at for at, name in reversed(begun)}
    order = sorted((at, name) for name, at in firsts.items())
    seconds = {name: until - at for (at, name), (until, _) in pairwise(order)}
    first_epoch = next(((at, found) for at, line in lines if (found := _FIRST_EPOCH.match(line))), None)
    if "head" in seconds and first_epoch:
        at, found = first_epoch
        seconds["features"] = at - float(found[1]) * _UNITS[found[2]] - firsts["head"]
        seconds["head"] -= seconds["features"]
    return {name: taken for name, taken in seconds.items() if name}


def cpu_seconds_of_children() -> float:
    """Seconds of all cores that commands which have ended took."""
    times = os.times()
    return times.children_user + times.children_system
