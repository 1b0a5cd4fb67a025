"""Chooses the images that calibrate INT8 and those that verify an export: real images, and no image for both."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeclf.export.data_images import DataImages, read_data
from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.archives import unpacked
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import SPLIT_NAME, Split, as_split, find, labelled, read_split
from edgeclf.train.keras_file.samples import MAX_SAMPLES, pick_samples, read_samples

if TYPE_CHECKING:  # `clf-export check` runs on devices without TensorFlow
    from edgeclf.train.keras_file.saving import KerasModel

MAX_TRAINING = 2_000
"""More images add little to quantisation-aware training, which shall end within minutes."""


@dataclass(frozen=True)
class ExportImages:
    """calibration: images for the ranges of INT8. verification: other images, for the gate. origin: where they come from."""

    calibration: Arrays
    verification: Arrays
    origin: str


def choose_images(
    model: "KerasModel", data: Path | None, *, calibrate: bool = True, labels_optional: bool = False
) -> ExportImages:
    """Calibration images from the training split and verification images from another one, from the first source of:

    1. `data`, if given. Its `val` split verifies and its `train` split calibrates. Without splits, all images verify, or
       every second one if `calibrate` needs the others.
    2. The run's `split.csv` beside the model, if its validation images still exist. All of them verify.
    3. The samples inside the model.

    labels_optional: if the model knows none of the classes in `data`, its images count as unlabelled.
    Raises DatasetError if there are no images.
    """
    if data is not None:
        with unpacked(data) as root:
            return _from_data(model, read_data(root, data, calibrate=calibrate), calibrate, labels_optional)
    embedded = read_samples(model.path, "calibration", model.card.preprocess)
    path = model.path.with_name(SPLIT_NAME)
    validation = read_split(path, "val", model.card.classes) if path.is_file() else Split((), ())
    if len(validation) and all(map(os.path.exists, validation.paths)):
        if calibrate and not len(embedded):
            embedded = load_calibration(read_split(path, "train", model.card.classes), model.card)
        return ExportImages(embedded, _load(validation, model.card, "verification"), f"the validation split in {path}")
    verification = read_samples(model.path, "verification", model.card.preprocess)
    if not len(verification):
        raise DatasetError(f"{model.path} carries no sample images to verify with; name some with --data DIR")
    return ExportImages(embedded, verification, "the validation samples inside the model")


def training_images(model: "KerasModel", data: Path | None) -> Arrays:
    """At most MAX_TRAINING images to train on, none of which verifies: of `data` if given, else of the model's run.

    Raises DatasetError if there are none.
    """
    if data is None:
        return _load(evenly_spaced(training_split(model.path, model.card.classes), MAX_TRAINING), model.card, "training")
    with unpacked(data) as root:
        _, split = read_data(root, data, calibrate=True).labelled_as(model.card.classes)
        return _load(evenly_spaced(split, MAX_TRAINING), model.card, "training")


def training_split(path: Path, classes: tuple[str, ...]) -> Split:
    """The training images of the run that made the model at `path`. Raises DatasetError if they are gone."""
    listing = path.with_name(SPLIT_NAME)
    split = read_split(listing, "train", classes) if listing.is_file() else Split((), ())
    if not len(split) or not all(map(os.path.exists, split.paths)):
        problem = "does not exist" if not listing.is_file() else "lists images that are gone"
        raise DatasetError(
            f"--qat trains on the images of the training run, but {listing} {problem}; name some with --data DIR"
        )
    return split


def read_images(data: Path, card: ModelCard) -> Arrays:
    """All labelled images of a folder or archive, or the samples inside a `.keras` file. Raises DatasetError."""
    if model_format(data):
        samples = read_samples(data, "verification", card.preprocess)
        if not len(samples):
            raise DatasetError(f"{data} carries no images to compare on; name some with --data DIR")
        return samples
    with unpacked(data) as root:
        found = find(root)
        splits = [labelled(by_class, card.classes, data) for by_class in found.values()]
        return _load(as_split([image for split in splits for image in split]), card, "labelled")


def _from_data(model: "KerasModel", data: DataImages, calibrate: bool, labels_optional: bool) -> ExportImages:
    verify, others = data.labelled_as(model.card.classes, optional=labels_optional)
    if calibrate:
        calibration = load_calibration(others, model.card)
    else:
        calibration = read_samples(model.path, "calibration", model.card.preprocess)
    return ExportImages(calibration, _load(verify, model.card, "verification"), str(data.data))


def load_calibration(split: Split, card: ModelCard) -> Arrays:
    """As many images as calibration needs, evenly spaced over the split."""
    return pick_samples(_load(evenly_spaced(split, MAX_SAMPLES), card, "calibration"))


def evenly_spaced(split: Split, count: int) -> Split:
    """At most `count` images, taken from all of the split."""
    chosen = np.linspace(0, len(split) - 1, min(count, len(split))).astype(int)
    return Split(tuple(split.paths[i] for i in chosen), tuple(split.labels[i] for i in chosen))


def _load(split: Split, card: ModelCard, purpose: str) -> Arrays:
    arrays = load(split, card.preprocess, f"{purpose} images")
    if arrays.failures:
        path, failure = arrays.failures[0]
        skipped = plural(len(arrays.failures), f"unreadable {purpose} image")
        note(f"{skipped} skipped; the first is {path}: {failure.detail}")
    return arrays
