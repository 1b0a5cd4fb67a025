"""A trained model as the teacher of a smaller network: what is checked before it teaches, and further images for it."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.sources.folders import walk
from edgeclf.runtime.terminal.console import note, warn
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.dataset import SPLIT_NAME, Dataset, read_dataset
from edgeclf.train.data.duplicates import exact_duplicates
from edgeclf.train.data.listing import class_name
from edgeclf.train.keras_file.card import read_keras_card


@dataclass(frozen=True)
class Teaching:
    """teacher: a model file with a card. unlabelled: a folder of images for which there are only the teacher's answers.

    takes_split: whether the split of the teacher's own run is taken, if it has the same images.
    """

    teacher: Path
    unlabelled: Path | None = None
    takes_split: bool = True


def check_teaching(teaching: Teaching, dataset: Dataset) -> Dataset:
    """The dataset with the teacher's split, if that is wanted and possible, and with the unlabelled images.

    Raises ModelError for a teacher that cannot be opened, and DatasetError for one of other classes and for `unlabelled`
    without further images. TensorFlow is not loaded.
    """
    order_of_answers(_card(teaching.teacher), dataset.classes, teaching.teacher)
    if teaching.takes_split:
        dataset = _in_its_split(teaching.teacher, dataset)
    if known := known_test_images(teaching.teacher, dataset):
        warn(
            f"the teacher was trained on {known:,} of {plural(len(dataset.test), 'test image')}, so the test accuracy "
            f"may be too high; leave out --split, --split-by, --val, --test and --limit, for the split of the teacher"
        )
    return replace(dataset, unlabelled=_unlabelled(teaching.unlabelled, dataset) if teaching.unlabelled else ())


def order_of_answers(card: ModelCard, classes: tuple[str, ...], model: Path) -> list[int]:
    """For each class, which of the teacher's answers is its probability. Raises DatasetError if the classes are others."""
    known = {class_name(name): number for number, name in enumerate(card.classes)}
    missing, further = [name for name in classes if name not in known], [name for name in known if name not in classes]
    if missing or further:
        lacks = [f"the teacher does not know {_listed(missing)}"] if missing else []
        has = [f"the images have none of {_listed(further)}"] if further else []
        raise DatasetError(
            f"the teacher {model} has other classes: {' and '.join(lacks + has)}; name one that was trained on these classes"
        )
    return [known[name] for name in classes]


def known_test_images(model: Path, dataset: Dataset) -> int:
    """How many images of the test split the teacher was trained on or stopped by, as the `split.csv` beside it says."""
    own = _split_beside(model)
    learned = {os.path.abspath(path) for split in (own.train, own.val) for path in split.paths} if own else set()
    return sum(os.path.abspath(path) in learned for path in dataset.test.paths)


def _card(model: Path) -> ModelCard:
    """Raises ModelError if the file is damaged or has no card."""
    return read_keras_card(model) if model_format(model) == "Keras" else Classifier.open(model, device="cpu").card


def _in_its_split(model: Path, dataset: Dataset) -> Dataset:
    """The dataset, divided as for the training of the teacher if that had the same images."""
    own = _split_beside(model)
    if own is None or _labelled(own) != _labelled(dataset):
        return dataset
    note(f"the images are split as in the training of the teacher: {model.with_name(SPLIT_NAME)}")
    return replace(dataset, train=own.train, val=own.val, test=own.test)


def _split_beside(model: Path) -> Dataset | None:
    path = model.with_name(SPLIT_NAME)
    with suppress(DatasetError):  # it may be another tool's
        return read_dataset(path) if path.is_file() else None
    return None


def _labelled(dataset: Dataset) -> set[tuple[str, str]]:
    splits = dataset.splits().values()
    return {
        (os.path.abspath(path), dataset.classes[label])
        for split in splits
        for path, label in zip(split.paths, split.labels, strict=True)
    }


def _unlabelled(folder: Path, dataset: Dataset) -> tuple[str, ...]:
    """The images in `folder` and below it, without those of the dataset and copies of them. Raises DatasetError."""
    if not folder.is_dir():
        raise DatasetError(f"--unlabelled {folder} is not a folder; name a folder of images")
    found = [os.path.abspath(path) for path, is_image in walk(str(folder)) if is_image]
    if not found:
        raise DatasetError(f"--unlabelled {folder} holds no images; name a folder of images, or leave it out")
    labelled = {os.path.abspath(path) for split in dataset.splits().values() for path in split.paths}
    further = [path for path in found if path not in labelled]
    # The labelled ones come first in a group. A copy of a test image would be trained on.
    copies = {path for group in exact_duplicates([*sorted(labelled), *further]) if group[0] in labelled for path in group}
    further = [path for path in further if path not in copies]
    if not further:
        raise DatasetError(
            f"--unlabelled {folder} holds only images that have labels; name a folder of others, or leave it out"
        )
    rest = f"; {len(found) - len(further):,} left out, because they have labels" if len(further) < len(found) else ""
    note(f"{folder}: {plural(len(further), 'unlabelled image')}{rest}")
    return tuple(further)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"{', '.join(map(repr, names[:5]))}{more}"
