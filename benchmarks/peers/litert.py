"""edgeclf with the same network as a TFLite file, run by LiteRT."""

from pathlib import Path

from edgeclf.benchmarks.peers import ClassifyAll, pipeline


def prepare(folder: Path) -> ClassifyAll:
    return pipeline.prepare(folder, model="model.fp32.tflite")
