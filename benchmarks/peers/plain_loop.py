"""Read, decode, resize, run one picture, with every library's default threads: what one writes first."""

from collections.abc import Callable
from pathlib import Path

import onnxruntime as ort

from edgeclf.benchmarks.peers.reading import photographs, read


def prepare(folder: Path) -> Callable[[], int]:
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    _, height, width, _ = session.get_inputs()[0].shape
    files = photographs(folder)

    def run() -> int:
        return len([session.run(None, {"image": read(file, height, width)}) for file in files])

    return run
