"""The obvious loop: read, decode and resize one image, run the model; every library with its default threads."""

from pathlib import Path

import onnxruntime as ort

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs, read


def prepare(folder: Path) -> ClassifyAll:
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    _, height, width, _ = session.get_inputs()[0].shape
    files = photographs(folder)
    return lambda: [label_indices(session.run(None, {"image": read(file, height, width)})[0])[0] for file in files]
