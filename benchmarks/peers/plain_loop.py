"""Read, decode, resize, run one image, with every library's default threads: what one writes first."""

from pathlib import Path

import onnxruntime as ort

from edgeclf.benchmarks.peers import Run
from edgeclf.benchmarks.peers.reading import labels, photographs, read


def prepare(folder: Path) -> Run:
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    _, height, width, _ = session.get_inputs()[0].shape
    files = photographs(folder)
    return lambda: [labels(session.run(None, {"image": read(file, height, width)})[0])[0] for file in files]
