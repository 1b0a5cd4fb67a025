"""Which images calibrate INT8 and which verify an export: always real ones, and never the same."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.terminal.console import note
from edgeclf.train.data.archives import unpacked
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import SPLIT_NAME, Split, as_split, find, labelled, read_split
from edgeclf.train.keras_file.samples import MAX_SAMPLES, pick_samples, read_samples

if TYPE_CHECKING:  # artefacts are compared on devices that have no TensorFlow
    from edgeclf.train.keras_file.saving import KerasModel


@dataclass(frozen=True)
class ExportImages:
    """calibration: images for INT8 ranges. verification: others, for the gate. origin: where the latter are from."""

    calibration: Arrays
    verification: Arrays
    origin: str


def choose_images(model: "KerasModel", data: Path | None, *, calibrate: bool = True) -> ExportImages:
    """Calibration from training images, verification from others, of the best source there is.

    `data`, where given: its `val` part verifies and its `train` part calibrates; a folder without parts verifies with all
    of its images, or with every other one when `calibrate` needs the rest. Otherwise the run's `split.csv` beside the
    model, as long as its images are all there, gives the whole validation part; and last, the samples inside the model.
    Raises DatasetError when no images are to be had.
    """
    if data is not None:
        with unpacked(data) as root:
            return replace(_from_folder(model, root, calibrate), origin=str(data))
    embedded = read_samples(model.path, "calibration", model.card.preprocess)
    split = model.path.with_name(SPLIT_NAME)
    validation = read_split(split, "val", model.card.classes) if split.is_file() else Split((), ())
    if len(validation) and all(map(os.path.exists, validation.paths)):
        if calibrate and not len(embedded):
            embedded = _calibrate(read_split(split, "train", model.card.classes), model)
        return ExportImages(embedded, _load(validation, model.card, "verification"), f"the validation part in {split}")
    verification = read_samples(model.path, "verification", model.card.preprocess)
    if not len(verification):
        raise DatasetError(f"{model.path} carries no sample images to verify with; name some with --data DIR")
    return ExportImages(embedded, verification, "the validation samples inside the model")


def read_images(data: Path, card: ModelCard) -> Arrays:
    """Every labelled image of a folder or archive, or the samples inside a `.keras` file. Raises DatasetError."""
    if data.suffix in (".keras", ".onnx", ".tflite"):
        samples = read_samples(data, "verification", card.preprocess)
        if not len(samples):
            raise DatasetError(f"{data} carries no images to compare on; name some with --data DIR")
        return samples
    with unpacked(data) as root:
        found, _ = find(root)
        parts = [labelled(by_class, card.classes, data) for by_class in found.values()]
        return _load(as_split([image for part in parts for image in part]), card, "images")


def _from_folder(model: "KerasModel", data: Path, calibrate: bool) -> ExportImages:
    found, _ = find(data)
    parts = {name: labelled(by_class, model.card.classes, data) for name, by_class in found.items()}
    if "val" in parts and "train" in parts:
        verify, spare = parts["val"], parts["train"]
    else:
        everything = next(iter(parts.values()))
        verify, spare = (everything[::2], everything[1::2]) if calibrate else (everything, [])
    if not verify or (calibrate and not spare):
        raise DatasetError(f"{data} holds too few images of the classes {', '.join(model.card.classes)}")
    calibration = (
        _calibrate(as_split(spare), model) if calibrate else read_samples(model.path, "calibration", model.card.preprocess)
    )
    return ExportImages(calibration, _load(as_split(verify), model.card, "verification"), str(data))


def _calibrate(part: Split, model: "KerasModel") -> Arrays:
    """Enough images for ranges, spread over the part."""
    chosen = np.linspace(0, len(part) - 1, min(MAX_SAMPLES, len(part))).astype(int)
    spread = Split(tuple(part.paths[i] for i in chosen), tuple(part.labels[i] for i in chosen))
    return pick_samples(_load(spread, model.card, "calibration"))


def _load(part: Split, card: ModelCard, name: str) -> Arrays:
    arrays = load(part, card.preprocess, name)
    if arrays.failures:
        path, failure = arrays.failures[0]
        note(f"{len(arrays.failures):,} {name} images cannot be read and are left out; the first: {path}: {failure.detail}")
    return arrays
