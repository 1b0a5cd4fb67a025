"""edgeclf's pipeline with the obvious preprocessing: decode every pixel, then resize with OpenCV's bilinear."""

from pathlib import Path

import cv2
import numpy as np

from edgeclf.benchmarks.peers import ClassifyAll, pipeline
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.classifier import Classifier


class FullDecode(Preprocess):
    """The same preprocessing, but with a full decode and `cv2.resize`."""

    @classmethod
    def like(cls, card: Preprocess) -> "FullDecode":
        return cls(card.size_hw, card.channels, "area", card.fit)  # "area" is the method that does not shrink while decoding

    def _resize(self, pixels: Pixels, height: int, width: int) -> Pixels:
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8).reshape(height, width, self.channels)


def prepare(folder: Path) -> ClassifyAll:
    card = Classifier.open(folder / "model.onnx", device="cpu", threads=1).card
    return pipeline.prepare(folder, preprocess=FullDecode.like(card.preprocess))
