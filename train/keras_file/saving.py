"""The trained model as one `.keras` file: network, card, and sample images for calibration and verification."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.card import CARD_MEMBER, ModelCard
from edgeclf.runtime.storage.atomic_write import cannot_write, publish_bytes
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.keras_file.card import read_keras_card
from edgeclf.train.keras_file.readable import readable
from edgeclf.train.keras_file.reason import reason, running
from edgeclf.train.keras_file.safety import check_keras_file
from edgeclf.train.keras_file.samples import write_samples
from edgeclf.train.keras_file.saved_model_folder import is_saved_model
from edgeclf.train.keras_file.saved_model_network import load_saved_model
from edgeclf.train.results.evaluation import probabilities


@dataclass(frozen=True)
class KerasModel:
    """The trained network and the card from the same file."""

    path: Path
    network: keras.Model
    card: ModelCard

    def probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """uint8 `[N, H, W, C]` to probabilities, float32 `[N, classes]`: the reference for every export.

        Raises ModelError if the network cannot run.
        """
        with running(str(self.path)):
            return probabilities(self.network, images, head=self.card.head)


def save(network: keras.Model, card: ModelCard, samples: dict[str, Arrays], path: Path) -> None:
    """Write a `.keras` file that Keras loads as usual. The extra members are in `edgeclf/`."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpublished = Path(folder) / "model.keras"
            network.save(unpublished)
            with zipfile.ZipFile(unpublished, "a") as archive:
                archive.writestr(CARD_MEMBER, card.to_json(), zipfile.ZIP_DEFLATED)
                write_samples(archive, samples)
            data = unpublished.read_bytes()
    except OSError as error:
        raise cannot_write(path, error) from None
    publish_bytes(path, data)


def open_keras(path: Path) -> KerasModel:
    """Load a model that `clf-train` saved. Raises ModelError for any other file."""
    card = read_keras_card(path)
    return KerasModel(path, _loaded(path), card)


def load_network(path: Path) -> keras.Model:
    """Load a network, with or without a card, after `check_keras_file` has accepted the file. Raises ModelError.

    path: a `.keras` or `.h5` file of Keras 2 or 3, or a SavedModel folder.
    """
    if is_saved_model(path):
        return load_saved_model(path)
    check_keras_file(path)
    return _loaded(path)


def _loaded(path: Path) -> keras.Model:
    """Load the network. Variables get memory only after the file has provided numbers for all of them.

    Otherwise a small file could ask for layers of any size. This is no slower than Keras alone: 1.2 s instead of 1.5 s
    for MobileNetV3Small, 4.8 s instead of 5.5 s for NASNetMobile.
    """
    with readable(path) as given:
        try:
            with keras.StatelessScope() as scope, _forgotten_on_error():
                network = keras.models.load_model(given, compile=False, safe_mode=True)
                numbers = [(weight, scope.get_current_value(weight)) for weight in network.weights]
                missing = [weight.path for weight, value in numbers if value is None]
                if missing:
                    raise ValueError(f"it has no numbers for {missing[0]}")
        except Exception as error:  # for a file that it did not write, Keras raises anything from KeyError to TypeError
            raise ModelError(_refusal(path, error)) from None
    for weight, value in numbers:
        weight.assign(value)
    return network


def _refusal(path: Path, error: Exception) -> str:
    cure = "build the network again with this Keras, copy its weights with set_weights, and save it as .keras"
    return f"{path} cannot be loaded by Keras {keras.__version__} ({reason(error)}); copy it again, or {cure}"


@contextmanager
def _forgotten_on_error() -> Iterator[None]:
    """After an error, forget the variables without memory: the end of a StatelessScope would give memory to all of them."""
    try:
        yield
    except BaseException:
        keras.utils.clear_session()
        raise
