"""From a folder to labelled pictures in three parts: finding them, naming their classes, splitting what is not split."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.escaping import escape, unescape
from edgeclf.runtime.frames.sources import walk
from edgeclf.runtime.publishing import publish_text

PARTS = ("train", "val", "test")
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
SPLIT_NAME = "split.csv"

_PART_NAMES = {
    "train": ("train", "training", "training_set", "train_set"),
    "val": ("val", "valid", "validation", "validation_set", "val_set"),
    "test": ("test", "testing", "test_set"),
}
_PART_OF = {name: part for part, names in _PART_NAMES.items() for name in names}


@dataclass(frozen=True)
class Part:
    """Pictures with their labels, side by side; a label is an index into the dataset's classes."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dataset:
    """Classes in sorted order, and the three parts. `skipped` files were no pictures by their extension."""

    classes: tuple[str, ...]
    train: Part
    val: Part
    test: Part
    skipped: int = 0

    def parts(self) -> dict[str, Part]:
        """The parts by name, in the order train, val, test."""
        return {name: getattr(self, name) for name in PARTS}


def scan(root: Path, seed: int = 0) -> Dataset:
    """Find the pictures below `root` and split what is not split yet.

    `root` holds one folder a class, or `train`, `val` and `test` (under any of their usual names, in any letter case) with
    one folder a class each. A part that is missing is cut from `train`, stratified by class, the same for the same seed.
    Raises DatasetError: no folder, fewer than two classes, a class without pictures, a class that training never sees.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder; clf-train takes a folder with one sub-folder per class")
    found, skipped = find(root)
    if "train" not in found:
        raise DatasetError(f"{root} has {', '.join(found)} but no train folder")
    classes = tuple(sorted(found["train"]))
    _check_classes(root, classes, found)
    parts = {
        name: [(path, classes.index(label)) for label in sorted(by_class) for path in by_class[label]]
        for name, by_class in found.items()
    }
    missing = [name for name in PARTS if name not in parts]
    cut = _cut(parts["train"], {name: SHARES[name] for name in missing}, seed)
    train, val, test = (as_part((parts | cut)[name]) for name in PARTS)
    return Dataset(classes, train, val, test, skipped)


def find(root: Path) -> tuple[dict[str, dict[str, list[str]]], int]:
    """Paths by part and class, and how many other files there are. Without part folders, everything is `train`."""
    folders = _folders(root)
    named = [(_PART_OF[folder.name.lower()], folder) for folder in folders if folder.name.lower() in _PART_OF]
    if len(named) != len({part for part, _ in named}):
        raise DatasetError(f"{root} has two folders for one part: {', '.join(folder.name for _, folder in named)}")
    if named and len(named) < len(folders):
        others = ", ".join(escape(folder.name) for folder in folders if folder.name.lower() not in _PART_OF)
        raise DatasetError(f"{root} mixes parts ({', '.join(dict(named))}) with other folders ({others}); move those away")
    found: dict[str, dict[str, list[str]]] = {}
    skipped = 0
    for part, top in named or [("train", root)]:
        for folder in _folders(top):
            files = list(walk(str(folder)))
            found.setdefault(part, {})[folder.name] = [path for path, is_picture in files if is_picture]
            skipped += sum(not is_picture for _, is_picture in files)
    return found or {"train": {}}, skipped


def as_part(pictures: list[tuple[str, int]]) -> Part:
    """Pairs of path and label as a part."""
    return Part(tuple(path for path, _ in pictures), tuple(label for _, label in pictures))


def write_split(dataset: Dataset, path: Path) -> None:
    """Every picture with its class and part, as `split.csv`; paths are absolute and escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "part"))
    for name, part in dataset.parts().items():
        for picture, label in zip(part.paths, part.labels, strict=True):
            writer.writerow((escape(os.path.abspath(picture)), escape(dataset.classes[label]), name))
    publish_text(path, text.getvalue())


def read_split(path: Path, part: str, classes: tuple[str, ...]) -> Part:
    """One part of a `split.csv`. Raises DatasetError when it is no such file or speaks of other classes."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(unescape(row["path"]), unescape(row["label"])) for row in csv.DictReader(file) if row["part"] == part]
        return as_part([(picture, classes.index(label)) for picture, label in rows])
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{path} is no split of this model's pictures ({error}); name them with --data DIR") from None


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _check_classes(root: Path, classes: tuple[str, ...], found: dict[str, dict[str, list[str]]]) -> None:
    if len(classes) < 2:
        names = ", ".join(classes) or "none"
        raise DatasetError(f"{root} has fewer than two class folders to train on ({names}); make one sub-folder per class")
    for part, by_class in found.items():
        for name in by_class:
            if name not in classes:
                raise DatasetError(f"class {name!r} is in {part} but not in train, so it could never be learnt")
        for name in classes:
            if not by_class.get(name):
                raise DatasetError(f"class {name!r} has no pictures in {part}; add some, or remove the folder")


def _cut(train: list[tuple[str, int]], shares: dict[str, float], seed: int) -> dict[str, list[tuple[str, int]]]:
    """Take a share of every class out of `train` for each part in `shares`, at least one picture; the rest stays."""
    if not shares:
        return {}
    rng = np.random.default_rng(seed)
    total = SHARES["train"] + sum(shares.values())
    taken: dict[str, list[tuple[str, int]]] = {"train": [], **{name: [] for name in shares}}
    for label in sorted({label for _, label in train}):
        pictures = [picture for picture in train if picture[1] == label]
        if len(pictures) <= len(shares):
            where = os.path.dirname(pictures[0][0])
            raise DatasetError(f"{where} holds {len(pictures)} pictures, too few to split; {len(shares) + 1} is the least")
        order = [pictures[i] for i in rng.permutation(len(pictures))]
        for name, share in shares.items():
            count = max(1, round(len(pictures) * share / total))
            taken[name] += order[:count]
            order = order[count:]
        taken["train"] += order
    return {name: sorted(pictures) for name, pictures in taken.items()}
