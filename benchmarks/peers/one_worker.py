"""edgeclf with a single worker thread: what the other cores add."""

from collections.abc import Callable
from pathlib import Path

from edgeclf.benchmarks.peers import pipeline


def prepare(folder: Path) -> Callable[[], int]:
    return pipeline.prepare(folder, workers=1)
