"""Any model file, trained or exported, as a function from images to probabilities."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.batching import BatchSplitter
from edgeclf.runtime.model.card import ModelCard, has_keras_card
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.arrays import batches
from edgeclf.train.keras_file.card import read_keras_card
from edgeclf.train.quiet import check_installed, load_keras

_BATCH = 32


@dataclass(frozen=True)
class AnyModel:
    """A model with its card. probabilities: from uint8 images `[N, H, W, C]` to float32 `[N, classes]`.

    novelties: from the same to float64 `[N]`; None if the model cannot say.
    """

    card: ModelCard
    probabilities: Callable[[Pixels], NDArray[np.float32]]
    novelties: Callable[[Pixels], NDArray[np.float64] | None]


def open_any(path: Path, device: str = "auto", card: ModelDescription | None = None, label: str = "classifying") -> AnyModel:
    """Open a `.onnx`, `.tflite` or `.keras` file; only the last needs TensorFlow.

    card: describes an exported model without a card. label: what its progress is called; empty for none. Raises ModelError,
    DeviceError or OptionError.
    """
    if model_format(path) == "Keras":
        if device != "auto":
            raise OptionError(f"--device is for exported models, and TensorFlow chooses the device of {path}; leave it out")
        if card is not None and card.replaces_card:
            export = f", and export it: clf-export {path} --classes labels.txt --data photos/"
            cure = f"leave it out{'' if has_keras_card(path) else export}"
            raise OptionError(f"--classes describes an exported model, and {path} is none; {cure}")
        read_keras_card(path)  # before TensorFlow is loaded
        check_installed()
        return _open_keras(path)
    classifier = Classifier.open(path, device=device, card=card)
    return AnyModel(
        classifier.card,
        lambda images: _probabilities(classifier, images, label),
        lambda images: _novelties(classifier, images),
    )


def _probabilities(classifier: Classifier, images: Pixels, label: str) -> NDArray[np.float32]:
    """Classify batch by batch, with progress if it has a label."""
    splitter, rows = BatchSplitter(classifier), []
    with Progress(label, len(images)) if label else nullcontext() as progress:
        for batch in batches(images, _BATCH):
            rows.append(splitter.probabilities(batch))
            if progress:
                progress.advance(len(batch))
    return np.concatenate(rows)


def _novelties(classifier: Classifier, images: Pixels) -> NDArray[np.float64] | None:
    splitter = BatchSplitter(classifier)
    found = [novelty for batch in batches(images, _BATCH) for _, novelty, *_ in splitter.answers(batch)]
    return None if None in found else np.array(found, np.float64)


def _open_keras(path: Path) -> AnyModel:
    load_keras()
    from edgeclf.train.keras_file.saving import open_keras

    model = open_keras(path)

    def novelties(images: Pixels) -> NDArray[np.float64] | None:
        from edgeclf.train.unknown import Embedding

        novelty = model.card.novelty
        return None if novelty is None else novelty.of(Embedding(model.network)(images))

    return AnyModel(model.card, model.probabilities, novelties)
