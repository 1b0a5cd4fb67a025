"""The classifier: a model file opened with its card, ready for images."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import ImageLike
from edgeclf.runtime.model.backend import Backend, open_backend
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.prediction import Prediction

_DEVICE = re.compile(r"auto|cpu|(cuda|tensorrt)(:\d+)?")


class Classifier:
    """Images in, predictions out. Safe to share between threads.

    >>> Classifier.open("model.onnx").predict("cell.png")  # doctest: +SKIP
    Prediction(label='functional', confidence=0.9873)
    """

    def __init__(self, backend: Backend, card: ModelCard) -> None:
        self.backend = backend
        self.card = card

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        device: str = "auto",
        threads: int | None = None,
        card: ModelCard | None = None,
    ) -> "Classifier":
        """Open a `.onnx` or `.tflite` file.

        device: `auto`, `cpu`, `cuda`, `cuda:N`, `tensorrt` or `tensorrt:N`. `auto` takes CUDA where it really starts, never
            TensorRT, which builds its engines for minutes.
        threads: cores that one prediction may use; default all. With one worker thread a core, 1 is right.
        card: describes a model that carries no card of its own, and stands in for one that does.
        Raises ModelError, DeviceError or OptionError, each a sentence that says what to do.
        """
        if not _DEVICE.fullmatch(device):
            raise OptionError(f"device must be auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N, not {device!r}")
        path = Path(path)
        backend = open_backend(path, device, threads or usable_cores())
        if card is None:
            card = _own_card(path, backend)
        if card.preprocess.shape != backend.input_shape:
            wanted, given = backend.input_shape, card.preprocess.shape
            raise ModelError(f"{path} takes images of {list(wanted)} [H, W, C], but its card makes {list(given)}")
        classifier = cls(backend, card)
        classifier._check_answer(path)
        return classifier

    def predict(self, image: ImageLike) -> Prediction:
        """The answer for one image. Raises ImageError when it cannot be read."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Sequence[ImageLike]) -> list[Prediction]:
        """One prediction an image, in order, in a single run of the model. Raises ImageError for the first bad one."""
        if not images:
            return []
        probabilities = self.probabilities(np.stack([self.card.preprocess(image) for image in images]))
        return [Prediction(self.card.classes, row) for row in probabilities]

    def probabilities(self, batch: Pixels) -> NDArray[np.float32]:
        """Preprocessed images, uint8 `[N, H, W, C]`, to float32 `[N, classes]`.

        Raises ModelError when the model gives NaN or infinity: argmax would call that the first class.
        """
        probabilities = self.backend.run(batch)
        if not np.isfinite(probabilities).all():
            raise ModelError("the model gives values that are no numbers (NaN or infinity); its weights are damaged")
        return probabilities

    def _check_answer(self, path: Path) -> None:
        answer = self.probabilities(np.zeros((1, *self.backend.input_shape), np.uint8))
        if answer.shape != (1, len(self.card.classes)):
            raise ModelError(
                f"{path} answers with shape {list(answer.shape)}, its card names {len(self.card.classes)} classes"
            )
        if answer.min() < -1e-3 or abs(answer.sum() - 1) > 1e-2:
            raise ModelError(
                f"{path} gives scores that are no probabilities (sum {answer.sum():.3g}); make it with clf-export"
            )


def _own_card(path: Path, backend: Backend) -> ModelCard:
    if backend.card_text is None:
        height, width, _ = backend.input_shape
        size = f"{height}" if height == width else f"{height},{width}"
        raise ModelError(
            f"{path} carries no model card, so its classes are unknown; "
            f"name them with --classes labels.txt --imgsz {size}, or make the file with clf-export"
        )
    try:
        return ModelCard.from_json(backend.card_text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
