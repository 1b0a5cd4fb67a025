"""What a core can give: one thread, one image after the other, with nothing between decoding, resizing and the model."""

from pathlib import Path

import cv2

from edgeclf.benchmarks.peers import Run
from edgeclf.benchmarks.peers.reading import labels, photographs
from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.model.classifier import Classifier


def prepare(folder: Path) -> Run:
    keep_freed_memory()
    cv2.setNumThreads(1)
    classifier = Classifier.open(folder / "model.onnx", device="cpu", threads=1)
    files = photographs(folder)
    return lambda: [labels(classifier.backend.run(classifier.card.preprocess(file)[None]))[0] for file in files]
