"""The trained model as one `.keras` file: network, card, and sample pictures for calibration and verification."""

import tempfile
import zipfile
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import cv2
import keras
import numpy as np

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.frames.decode import Pixels
from edgeclf.runtime.frames.preprocess import Preprocess
from edgeclf.runtime.model.card import CARD_MEMBER, ModelCard, read_zip_card
from edgeclf.runtime.publishing import cannot_write, publish_bytes
from edgeclf.train.data.arrays import Arrays

SAMPLES_BYTES = 4_000_000
"""About what one set of samples may take inside the file."""
MAX_SAMPLES = 512
SAMPLES_FOLDER = "edgeclf/samples"


@dataclass(frozen=True)
class KerasModel:
    """The network as trained, with the card from the same file."""

    path: Path
    network: keras.Model
    card: ModelCard


def pick_samples(arrays: Arrays, seed: int = 0) -> Arrays:
    """As many pictures as fit into SAMPLES_BYTES, the same number of each class where there are enough.

    Round after round, the next picture of every class is taken, in a random order that the seed fixes.
    """
    rng = np.random.default_rng(seed)
    queues = [rng.permutation(np.flatnonzero(arrays.labels == label)) for label in np.unique(arrays.labels)]
    chosen: list[int] = []
    bytes_left = SAMPLES_BYTES
    for index in chain.from_iterable(zip_longest(*queues)):
        if index is None:
            continue
        bytes_left -= len(_encode(arrays.images[index]))
        if chosen and (bytes_left < 0 or len(chosen) == MAX_SAMPLES):
            break
        chosen.append(int(index))
    return Arrays(arrays.images[chosen], arrays.labels[chosen])


def save(network: keras.Model, card: ModelCard, samples: dict[str, Arrays], path: Path) -> None:
    """Write a `.keras` file that Keras itself loads as ever; the extra members lie under `edgeclf/`."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpublished = Path(folder) / "model.keras"
            network.save(unpublished)
            with zipfile.ZipFile(unpublished, "a") as archive:
                archive.writestr(CARD_MEMBER, card.to_json(), zipfile.ZIP_DEFLATED)
                for name, chosen in samples.items():
                    for number, (image, label) in enumerate(zip(chosen.images, chosen.labels, strict=True)):
                        archive.writestr(f"{SAMPLES_FOLDER}/{name}/{number:04}-{label}.png", _encode(image))
            data = unpublished.read_bytes()
    except OSError as error:
        raise cannot_write(path, error) from None
    publish_bytes(path, data)


def open_keras(path: Path) -> KerasModel:
    """Load a model that `clf-train` saved. Raises ModelError for any other file."""
    if not path.is_file():
        raise ModelError(f"{path} does not exist or is no file; clf-export takes the model.keras of a training run")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is damaged or no .keras file; train again, or copy it again")
    try:
        card_text = read_zip_card(path)
        card = ModelCard.from_json(card_text) if card_text is not None else None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    if card is None:
        cause = "carries no model card, so its classes and picture size are unknown"
        raise ModelError(f"{path} {cause}; train it with clf-train")
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything from KeyError to TypeError for a file that is not its own
        raise ModelError(f"{path} cannot be loaded by Keras {keras.__version__} ({first_line(error)})") from None
    return KerasModel(path, network, card)


def read_samples(path: Path, name: str, preprocess: Preprocess) -> Arrays:
    """The samples called `name` in a `.keras` file, bit by bit as they were saved; empty when it carries none."""
    images, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.namelist()):
            if member.startswith(f"{SAMPLES_FOLDER}/{name}/"):
                labels.append(int(member.rpartition("-")[2].removesuffix(".png")))
                images.append(preprocess(archive.read(member)))
    if not images:
        return Arrays(np.empty((0, *preprocess.shape), np.uint8), np.empty(0, np.int64))
    return Arrays(np.stack(images), np.asarray(labels, np.int64))


def _encode(image: Pixels) -> bytes:
    """Lossless, and a person who unzips the model can look at it."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    done, png = cv2.imencode(".png", bgr)
    if not done:
        raise ModelError(f"a sample picture of {list(image.shape)} cannot be encoded")
    return bytes(png)
