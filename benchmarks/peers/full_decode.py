"""edgeclf's pipeline with the obvious preprocessing: decode every pixel, then resize with OpenCV's bilinear."""

from dataclasses import replace
from pathlib import Path

from edgeclf.benchmarks.peers import ClassifyAll, pipeline
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.classifier import Classifier


def full_decode(card: Preprocess) -> Preprocess:
    """The same preprocessing, but with a full decode and `cv2.resize`."""
    return replace(card, resize="opencv-bilinear")


def prepare(folder: Path) -> ClassifyAll:
    card = Classifier.open(folder / "model.onnx", device="cpu", threads=1).card
    return pipeline.prepare(folder, preprocess=full_decode(card.preprocess))
