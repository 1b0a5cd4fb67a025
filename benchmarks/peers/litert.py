"""edgeclf with the same network as a TFLite file, run by LiteRT."""

from collections.abc import Callable
from pathlib import Path

from edgeclf.benchmarks.peers import pipeline


def prepare(folder: Path) -> Callable[[], int]:
    return pipeline.prepare(folder, model="model.fp32.tflite")
