"""Which pictures calibrate INT8 and which verify an export: always real ones, and never the same."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeclf.export.keras_model import KerasModel
from edgeclf.runtime.errors import DatasetError
from edgeclf.train.arrays import load
from edgeclf.train.dataset import SPLIT_NAME, Part, read_split, scan
from edgeclf.train.saving import MAX_SAMPLES, Samples, pick_samples, read_samples


@dataclass(frozen=True)
class Evidence:
    """calibration: pictures for INT8 ranges. verification: others, for the gate. origin: where the latter are from."""

    calibration: Samples
    verification: Samples
    origin: str


def gather(model: KerasModel, data: Path | None) -> Evidence:
    """Calibration from the training part, verification from the validation part, of the best source there is.

    `data`, where given, is split like a training folder. Otherwise the run's `split.csv` beside the model, as long as its
    pictures are all there, gives the whole validation part; and last, the samples inside the model.
    Raises DatasetError when no pictures are to be had.
    """
    if data is not None:
        dataset = scan(data)
        if dataset.classes != model.card.classes:
            raise DatasetError(f"{data} has the classes {list(dataset.classes)}, the model {list(model.card.classes)}")
        return Evidence(_calibrate(dataset.train, model), _load(dataset.val, model), f"{data}")
    embedded = read_samples(model.path, "calibration", model.card.preprocess)
    split = model.path.with_name(SPLIT_NAME)
    validation = read_split(split, "val", model.card.classes) if split.is_file() else Part((), ())
    if len(validation) and all(map(os.path.exists, validation.paths)):
        if not len(embedded):
            embedded = _calibrate(read_split(split, "train", model.card.classes), model)
        return Evidence(embedded, _load(validation, model), f"the validation part in {split}")
    verification = read_samples(model.path, "verification", model.card.preprocess)
    if not len(verification):
        raise DatasetError(f"{model.path} carries no sample pictures to verify with; name some with --data DIR")
    return Evidence(embedded, verification, "the validation samples inside the model")


def _calibrate(part: Part, model: KerasModel) -> Samples:
    """Enough pictures for ranges, spread over the part."""
    chosen = np.linspace(0, len(part) - 1, min(MAX_SAMPLES, len(part))).astype(int)
    spread = Part(tuple(part.paths[i] for i in chosen), tuple(part.labels[i] for i in chosen))
    return pick_samples(load(spread, model.card.preprocess, "calibration"))


def _load(part: Part, model: KerasModel) -> Samples:
    arrays = load(part, model.card.preprocess, "verification")
    return Samples(arrays.images, arrays.labels)
