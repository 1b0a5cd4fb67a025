"""Turns a folder or a CSV file into labelled images in three splits: train, val and test."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.spelling import close_to, did_you_mean
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.terminal.escaping import escape, unescape
from edgeclf.train.data.class_folders import holds_images
from edgeclf.train.data.duplicates import exact_duplicates
from edgeclf.train.data.listing import COPY_COLUMN, DROPPED, SPLIT_COLUMNS, SPLITS, Found, class_name, list_images, read_rows
from edgeclf.train.data.reading import AS_USUAL, NO_CLASSES_CURE, Reading
from edgeclf.train.data.splitting import Labelled, Splitting, cut, cut_folds, group_names, limited

SPLIT_NAME = "split.csv"
_LONGEST_LIST = 60  # characters of a sentence

_DEFAULT = Splitting()


@dataclass(frozen=True)
class Split:
    """Images and their labels, in the same order. A label is an index into the dataset's classes."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dropped:
    """An image that nothing uses, because it has the same bytes as `copy_of`, which is in another split."""

    path: str
    label: int
    copy_of: str


@dataclass(frozen=True)
class Dataset:
    """Classes in sorted order, and the three splits.

    others: the number of files without an image extension, by kind. ungrouped: the number of images that `--split-by` did
    not put in a group; each was split on its own. copies: groups of files with the same bytes. notes: sentences about
    folders that may not be the classes, or were passed over. left_out: the number of images that `--allow-leakage` left out
    of the test and of the validation split. dropped: training images that `--drop-leaks` left out.
    cut_from: the folder whose paths `--split-by` takes; None if some of the images were split before.
    unlabelled: further training images, to which only a teacher has answers.
    folds: with a cross-validation, the same images once for each fold, which is the test split.
    """

    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    others: Mapping[str, int] = field(default_factory=dict)
    ungrouped: int = 0
    copies: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=lambda: {"test": 0, "validation": 0})
    dropped: tuple["Dropped", ...] = ()
    cut_from: Path | None = field(default=None, compare=False)
    unlabelled: tuple[str, ...] = ()
    folds: tuple["Dataset", ...] = ()

    @property
    def skipped(self) -> int:
        """The number of files that are not images."""
        return sum(self.others.values())

    def splits(self) -> dict[str, Split]:
        """The splits by name, in the order train, val, test."""
        return {name: getattr(self, name) for name in SPLITS}

    def by_class(self) -> Found:
        """Paths by split and class."""
        found: Found = {name: {label: [] for label in self.classes} for name in SPLITS}
        for name, split in self.splits().items():
            for path, label in zip(split.paths, split.labels, strict=True):
                found[name][self.classes[label]].append(path)
        return found


def scan(root: Path, splitting: Splitting = _DEFAULT, reading: Reading = AS_USUAL) -> Dataset:
    """Find the images in `root` and split those that have no split yet.

    `root` is a folder with one sub-folder per class, or with `train`, `val` and `test` (under any of their usual names, in
    any letter case) above these. A single folder around all of that is skipped. Or `root` is a CSV file with the columns
    `path` (relative to the file's folder), `label` and, if it is split, `part` or `split`. A missing split is taken from
    `train`. Raises DatasetError if there are no images or fewer than two classes, or if a class has no images or is not in
    train.
    """
    listing = list_images(root, reading)
    found = _with_own_splits(root, listing.found, splitting, reading)
    if splitting.folds:
        found = _without_val(found)
    if "train" not in found:
        raise DatasetError(f"{root} has {', '.join(found)} but no train {'folder' if root.is_dir() else 'rows'}")
    classes = tuple(sorted(found["train"]))
    _check_classes(root, classes, found)
    splits = {name: labelled(by_class, classes, root) for name, by_class in limited(found, splitting).items()}
    missing = [name for name in SPLITS if name not in splits and not (splitting.folds and name == "test")]
    names = group_names(splits["train"], classes, listing.top, splitting.by if missing else "")
    copies = exact_duplicates([path for images in splits.values() for path, _ in images])
    folds = _folds(splits["train"], names, copies, classes, splitting) if splitting.folds else ()
    splits |= cut(splits["train"], names, copies, classes=classes, missing=missing, splitting=splitting)
    train, val, test = (as_split(splits.get(name, [])) for name in SPLITS)
    ungrouped = names.count(None) if any(names) else 0
    return Dataset(
        classes,
        train,
        val,
        test,
        others=listing.others,
        ungrouped=ungrouped,
        copies=tuple(copies),
        notes=listing.notes(),
        cut_from=listing.top if len(missing) == len(SPLITS) - 1 else None,
        folds=folds,
    )


def _without_val(found: Found) -> Found:
    """The images with those for validation among those for training: every fold has its own."""
    if "train" not in found or "val" not in found:
        return found
    train, val = found["train"], found["val"]
    joined = {name: sorted([*train.get(name, []), *val.get(name, [])]) for name in dict.fromkeys([*train, *val])}
    return {name: joined if name == "train" else by_class for name, by_class in found.items() if name != "val"}


def _folds(
    images: Labelled, names: list[str | None], copies: list[tuple[str, ...]], classes: tuple[str, ...], splitting: Splitting
) -> tuple[Dataset, ...]:
    """For each fold, the dataset of which it is the test split; a validation split is cut from the other folds."""
    name_of = {path: name for (path, _), name in zip(images, names, strict=True)}
    found = []
    for tested in cut_folds(images, names, copies, classes, splitting):
        others = sorted(set(images) - set(tested))
        their_names = [name_of[path] for path, _ in others]
        splits = cut(others, their_names, copies, classes=classes, missing=["val"], splitting=splitting)
        found.append(Dataset(classes, as_split(splits["train"]), as_split(splits["val"]), as_split(tested)))
    return tuple(found)


def find(root: Path) -> Found:
    """Paths by split and class. Images without a split are `train`."""
    return list_images(root).found


def labelled(by_class: dict[str, list[str]], classes: tuple[str, ...], data: Path) -> Labelled:
    """Images with a model's labels, matched by class name. Raises DatasetError for a class that the model does not know."""
    labels = _labels(classes)
    for name in by_class:
        if name not in labels:
            usual = "leave that folder out, or name the model that was trained on it"
            cure = did_you_mean(close_to(name, classes)) or usual
            listed = ", ".join(classes)
            known = f" ({listed})" if len(listed) <= _LONGEST_LIST else ""
            raise DatasetError(f"{data} has the class {name!r}, which the model does not know{known}; {cure}")
    return [(path, labels[name]) for name in sorted(by_class) for path in by_class[name]]


def as_split(images: Labelled) -> Split:
    """A split made of (path, label) pairs."""
    return Split(tuple(path for path, _ in images), tuple(label for _, label in images))


def write_split(dataset: Dataset, path: Path) -> None:
    """Write every image with its class and split to `split.csv`. Paths are absolute and escaped.

    Dropped images follow as the split `dropped`; only then, there is a column `copy_of`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*SPLIT_COLUMNS, COPY_COLUMN] if dataset.dropped else SPLIT_COLUMNS)
    for name, split in dataset.splits().items():
        for image, label in zip(split.paths, split.labels, strict=True):
            cells = (_absolute(image), escape(dataset.classes[label]), name)
            writer.writerow([*cells, ""] if dataset.dropped else cells)
    for one in dataset.dropped:
        writer.writerow((_absolute(one.path), escape(dataset.classes[one.label]), DROPPED, _absolute(one.copy_of)))
    publish_text(path, text.getvalue())


def read_split(path: Path, split: str, classes: tuple[str, ...]) -> Split:
    """One split from a `split.csv`. Raises DatasetError if the file is not one, or if it names other classes."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(unescape(row["path"]), unescape(row["label"])) for row in csv.DictReader(file) if row["part"] == split]
        labels = _labels(classes)
        return as_split([(image, labels[class_name(label)]) for image, label in rows])
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} does not list this model's images ({error}); name them with --data DIR") from None


def read_dataset(path: Path, *, needs_test: bool = True) -> Dataset:
    """The dataset that a run's `split.csv` describes, with its images in the same order. Raises DatasetError.

    needs_test: a run with folds may have no test split.
    """
    rows, _ = read_rows(path)
    found: Found = {split: {} for split in SPLITS}
    for row in rows:
        found[row.split].setdefault(row.label, []).append(row.path)
    classes = tuple(sorted(found["train"]))
    _check_classes(
        path, classes, {name: by_class for name, by_class in found.items() if by_class or name != "test" or needs_test}
    )
    labels = {name: label for label, name in enumerate(classes)}
    train, val, test = (as_split([(row.path, labels[row.label]) for row in rows if row.split == split]) for split in SPLITS)
    return Dataset(classes, train, val, test)


def _absolute(path: str) -> str:
    return escape(os.path.abspath(path))


def _labels(classes: tuple[str, ...]) -> dict[str, int]:
    """The label of each class by its name, as listings spell it. A model's classes may have another spelling."""
    return {class_name(name): label for label, name in enumerate(classes)}


def _with_own_splits(root: Path, found: Found, splitting: Splitting, reading: Reading) -> Found:
    """Add the images of --val and --test to `found`. Raises DatasetError for an image in two splits."""
    own = {name: path for name, path in (("val", splitting.val), ("test", splitting.test)) if path is not None}
    for name, path in own.items():
        if name in found:
            raise DatasetError(f"{root} already has a {name} split; leave out --{name}, or name only the training images")
        listing = list_images(path, reading)
        if listing.is_split:
            raise DatasetError(f"--{name} {path} has splits of its own ({', '.join(listing.found)}); name one of them")
        found = found | {name: listing.found["train"]}
    if own:
        _check_apart(found)
    return found


def _check_apart(found: Found) -> None:
    split_of: dict[str, str] = {}
    for split, by_class in found.items():
        for path in (path for paths in by_class.values() for path in paths):
            other = split_of.setdefault(os.path.abspath(path), split)
            if other != split:
                raise DatasetError(f"{path} is in {other} and in {split}; name other images with --{split}")


def _check_classes(root: Path, classes: tuple[str, ...], found: Found) -> None:
    if not classes and root.is_dir() and holds_images(root):
        raise DatasetError(f"{root} holds images but no class folders; {NO_CLASSES_CURE}")
    if len(classes) < 2:
        names = ", ".join(classes) or "none"
        what, cure = ("class folders", "make one sub-folder per class") if root.is_dir() else ("labels", "add the others")
        raise DatasetError(f"{root} has fewer than two {what} to train on ({names}); {cure}")
    folded = {name.casefold(): name for name in classes}
    for split, by_class in found.items():
        for name in by_class:
            if name not in classes and name.casefold() in folded:
                other = folded[name.casefold()]
                raise DatasetError(
                    f"class {name!r} in {split} and {other!r} in train differ only in letter case; rename one"
                )
            if name not in classes:
                raise DatasetError(f"class {name!r} is in {split} but not in train, so it cannot be learned")
        for name in classes:
            if not by_class.get(name):
                raise DatasetError(f"class {name!r} has no images in {split}; add some, or remove the class")
