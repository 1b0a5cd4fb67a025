"""edgeclf's pipeline, but every pixel is decoded and OpenCV's bilinear takes a few of them: what one writes first."""

from pathlib import Path

import cv2
import numpy as np

from edgeclf.benchmarks.peers import Run, pipeline
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.classifier import Classifier


class FullDecode(Preprocess):
    """The same, with `cv2.resize` after a full decode in place of any resize of ours."""

    @classmethod
    def like(cls, card: Preprocess) -> "FullDecode":
        return cls(card.size_hw, card.channels, "area", card.fit)  # of ours, the one that shrinks nothing beforehand

    def _resize(self, pixels: Pixels, height: int, width: int) -> Pixels:
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8).reshape(height, width, self.channels)


def prepare(folder: Path) -> Run:
    card = Classifier.open(folder / "model.onnx", device="cpu", threads=1).card
    return pipeline.prepare(folder, preprocess=FullDecode.like(card.preprocess))
