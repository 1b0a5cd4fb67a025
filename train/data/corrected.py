"""What people decided about images, in `corrections.csv` of clf-review, applied to a dataset that is split already."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.review.corrections import REJECTED, Correction, read_corrections, require_known_labels
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import one_line
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.dataset import Dataset, Split, as_split
from edgeclf.train.data.duplicates import exact_duplicates
from edgeclf.train.data.listing import SPLITS, class_name
from edgeclf.train.data.splitting import Labelled

_Decided = Mapping[str, int | None]
"""The right label of each image that was decided about, by its absolute path without links; None if it was rejected."""


def corrected(dataset: Dataset, path: Path) -> Dataset:
    """The dataset with what the file at `path` says, and a note of how much that is.

    An image stays in the split that it is in: the test images are those of a training without corrections, but for those
    that were rejected. Images that the dataset does not have join the training split. Raises SourceError for a damaged file
    or an unknown class, and DatasetError for an image that does not exist and for a class without images.
    """
    made = read_corrections(path)
    require_known_labels(made.values(), dataset.classes, path)
    labels = {class_name(name): number for number, name in enumerate(dataset.classes)}
    decided = {_place(one.path): labels.get(class_name(one.label)) for one in made.values()}
    before = {_place(image): label for image, label in _images(dataset)}
    others = [one for one in made.values() if one.decision != REJECTED and _place(one.path) not in before]
    _require_files(others, path)
    new = [(one.path, labels[class_name(one.label)]) for one in others]
    found = _with_decisions(dataset, decided, new)
    _require_classes(found, path)
    note(f"{path}: {_counted(before, decided)}, {plural(len(new), 'new image')} to learn from")
    copies = tuple(exact_duplicates([image for image, _ in _images(found)])) if new else dataset.copies
    return replace(found, folds=tuple(_with_decisions(fold, decided, new) for fold in dataset.folds), copies=copies)


def _with_decisions(dataset: Dataset, decided: _Decided, new: Labelled) -> Dataset:
    train, val, test = (_decide(dataset.splits()[name], decided) for name in SPLITS)
    return replace(dataset, train=as_split(sorted([*train, *new])), val=as_split(val), test=as_split(test))


def _decide(split: Split, decided: _Decided) -> Labelled:
    """The images of a split that are not rejected, with their right labels, in the same order."""
    right = ((path, decided.get(_place(path), label)) for path, label in zip(split.paths, split.labels, strict=True))
    return [(path, label) for path, label in right if label is not None]


def _images(dataset: Dataset) -> Iterable[tuple[str, int]]:
    return (image for split in dataset.splits().values() for image in zip(split.paths, split.labels, strict=True))


def _require_files(corrections: Iterable[Correction], path: Path) -> None:
    for one in corrections:
        if not os.path.isfile(one.path):
            problem = f"line {one.line:,} of {path} names {one.path}, which is not there"
            raise DatasetError(one_line(f"{problem}; run clf-train in the folder that clf-run ran in, or move it back"))


def _require_classes(dataset: Dataset, path: Path) -> None:
    for name, split in dataset.splits().items():
        for label in sorted(set(range(len(dataset.classes))) - set(split.labels)) if len(split) else ():
            problem = f"with the corrections of {path}, class {dataset.classes[label]!r} has no image in {name}"
            raise DatasetError(one_line(f"{problem}; add some, or name other images with --val and --test"))


def _counted(before: Mapping[str, int], decided: _Decided) -> str:
    """What is decided about the images that were there before, in words."""
    counts = Counter(
        "left out" if decided[place] is None else "confirmed" if decided[place] == label else "corrected"
        for place, label in before.items()
        if place in decided
    )
    nouns = {"corrected": "label", "confirmed": "label", "left out": "image"}
    return ", ".join(f"{plural(counts[done], noun)} {done}" for done, noun in nouns.items())


def _place(path: str) -> str:
    return os.path.realpath(path)
