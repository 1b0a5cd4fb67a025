"""The speed of a single core: one thread that decodes, resizes and runs the model, one image after the other."""

from pathlib import Path

import cv2

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.benchmarks.peers.reading import label_indices, photographs
from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.model.classifier import Classifier


def prepare(folder: Path) -> ClassifyAll:
    keep_freed_memory()
    cv2.setNumThreads(1)
    classifier = Classifier.open(folder / "model.onnx", device="cpu", threads=1)
    files = photographs(folder)
    return lambda: [label_indices(classifier.backend.run(classifier.card.preprocess(file)[None]))[0] for file in files]
