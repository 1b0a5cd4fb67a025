"""From a folder or a table to labelled images in three splits: finding them, naming their classes, splitting the rest."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgeclf.runtime.errors import DatasetError, first_line
from edgeclf.runtime.sources.folders import IMAGE_EXTENSIONS, walk
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.terminal.escaping import escape, unescape
from edgeclf.train.data.duplicates import exact_duplicates
from edgeclf.train.data.splitting import Labelled, Splitting, cut, group_names, limited

SPLITS = ("train", "val", "test")
SPLIT_NAME = "split.csv"

_SPLIT_NAMES = {
    "train": ("train", "training", "training_set", "train_set"),
    "val": ("val", "valid", "validation", "validation_set", "val_set"),
    "test": ("test", "testing", "test_set"),
}
_SPLIT_OF = {name: split for split, names in _SPLIT_NAMES.items() for name in names}
_SPLIT_COLUMNS = ["path", "label", "part"]
_DEFAULT = Splitting()

Found = dict[str, dict[str, list[str]]]
"""Paths by split and class."""


@dataclass(frozen=True)
class Split:
    """Images with their labels, side by side; a label is an index into the dataset's classes."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dataset:
    """Classes in sorted order, and the three splits.

    skipped: files that were no images by their extension. ungrouped: images that a splitting by groups found in no
    group, and cut each for itself. copies: groups of files with the same bytes.
    """

    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    skipped: int = 0
    ungrouped: int = 0
    copies: tuple[tuple[str, ...], ...] = ()

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


def scan(root: Path, splitting: Splitting = _DEFAULT) -> Dataset:
    """Find the images that `root` names and split what is not split yet.

    `root` holds one folder a class, or `train`, `val` and `test` (under any of their usual names, in any letter case) with
    one folder a class each; a single folder around all that is passed through. Or it is a CSV file with the columns `path`
    (from the file's folder), `label` and, where it is split, `part` or `split`. A split that is missing is cut from `train`.
    Raises DatasetError: nothing there, fewer than two classes, a class without images, a class that training never sees.
    """
    listing = _list(root)
    found = _with_own_splits(root, listing.found, splitting)
    if "train" not in found:
        raise DatasetError(f"{root} has {', '.join(found)} but no train {'folder' if root.is_dir() else 'rows'}")
    classes = tuple(sorted(found["train"]))
    _check_classes(root, classes, found)
    splits = {name: labelled(by_class, classes, root) for name, by_class in limited(found, splitting).items()}
    missing = [name for name in SPLITS if name not in splits]
    names = group_names(splits["train"], classes, listing.top, splitting.by if missing else "")
    copies = exact_duplicates([path for images in splits.values() for path, _ in images])
    splits |= cut(splits["train"], names, copies, classes, missing, splitting)
    train, val, test = (as_split(splits[name]) for name in SPLITS)
    return Dataset(classes, train, val, test, listing.skipped, names.count(None) if any(names) else 0, tuple(copies))


def find(root: Path) -> tuple[Found, int]:
    """Paths by split and class, and how many other files there are. What is in no split is `train`."""
    listing = _list(root)
    return listing.found, listing.skipped


def labelled(by_class: dict[str, list[str]], classes: tuple[str, ...], data: Path) -> Labelled:
    """Images with a model's labels, aligned by name. Raises DatasetError for a class that the model does not know."""
    for name in by_class:
        if name not in classes:
            raise DatasetError(f"{data} has the class {name!r}, which the model does not know ({', '.join(classes)})")
    return [(path, classes.index(name)) for name in sorted(by_class) for path in by_class[name]]


def as_split(images: Labelled) -> Split:
    """Pairs of path and label as a split."""
    return Split(tuple(path for path, _ in images), tuple(label for _, label in images))


def write_split(dataset: Dataset, path: Path) -> None:
    """Every image with its class and split, as `split.csv`; paths are absolute and escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_SPLIT_COLUMNS)
    for name, split in dataset.splits().items():
        for image, label in zip(split.paths, split.labels, strict=True):
            writer.writerow((escape(os.path.abspath(image)), escape(dataset.classes[label]), name))
    publish_text(path, text.getvalue())


def read_split(path: Path, split: str, classes: tuple[str, ...]) -> Split:
    """One split of a `split.csv`. Raises DatasetError when it is no such file or speaks of other classes."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(unescape(row["path"]), unescape(row["label"])) for row in csv.DictReader(file) if row["part"] == split]
        return as_split([(image, classes.index(label)) for image, label in rows])
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is no split of this model's images ({error}); name them with --data DIR") from None


def read_dataset(path: Path) -> Dataset:
    """The dataset that a run's `split.csv` describes, its images in the same order. Raises DatasetError."""
    rows, _ = _read_rows(path)
    found: Found = {split: {} for split in SPLITS}
    for row in rows:
        found[row.split].setdefault(row.label, []).append(row.path)
    classes = tuple(sorted(found["train"]))
    _check_classes(path, classes, found)
    labels = {name: label for label, name in enumerate(classes)}
    train, val, test = (as_split([(row.path, labels[row.label]) for row in rows if row.split == split]) for split in SPLITS)
    return Dataset(classes, train, val, test)


@dataclass(frozen=True)
class _Listing:
    """What there is: paths by split and class; top: the folder that the training classes are in, or the CSV file is in.

    is_split: whether `found` says more than that everything is for training.
    """

    found: Found
    top: Path
    is_split: bool
    skipped: int = 0


class _Row(NamedTuple):
    line: int
    path: str
    label: str
    split: str


def _list(root: Path) -> _Listing:
    if root.is_dir():
        return _list_folder(_unwrap(root))
    if root.suffix.lower() == ".csv" and root.is_file():
        return _list_rows(root)
    raise DatasetError(
        f"{root} is no folder; name one with one sub-folder per class, or a CSV file with the columns path and label"
    )


def _list_folder(root: Path) -> _Listing:
    folders = _folders(root)
    named = [(_SPLIT_OF[folder.name.lower()], folder) for folder in folders if folder.name.lower() in _SPLIT_OF]
    if len(named) != len({split for split, _ in named}):
        raise DatasetError(f"{root} has two folders for one split: {', '.join(folder.name for _, folder in named)}")
    if named and len(named) < len(folders):
        others = ", ".join(escape(folder.name) for folder in folders if folder.name.lower() not in _SPLIT_OF)
        raise DatasetError(f"{root} mixes splits ({', '.join(dict(named))}) with other folders ({others}); move those away")
    found: Found = {}
    skipped = 0
    tops = dict(named) or {"train": root}
    for split, top in tops.items():
        for folder in _folders(top):
            files = list(walk(str(folder)))
            found.setdefault(split, {})[folder.name] = [path for path, is_image in files if is_image]
            skipped += sum(not is_image for _, is_image in files)
    return _Listing(found or {"train": {}}, tops.get("train", root), bool(named), skipped)


def _list_rows(path: Path) -> _Listing:
    rows, is_split = _read_rows(path)
    found: Found = {}
    lines: dict[str, int] = {}
    for row in rows:
        if lines.setdefault(row.path, row.line) != row.line:
            raise DatasetError(f"{path}, line {row.line}: {row.path!r} is in line {lines[row.path]} already; remove one")
        found.setdefault(row.split, {}).setdefault(row.label, []).append(row.path)
    return _Listing(found or {"train": {}}, path.parent, is_split)


def _read_rows(path: Path) -> tuple[list[_Row], bool]:
    """The rows of a CSV file, and whether it has a column for the split. Raises DatasetError with the line number."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            if not {"path", "label"} <= set(columns):
                raise DatasetError(f"{path}, line 1 must name the columns path and label, not {','.join(columns)!r}")
            rows = [_read_row(path, reader.line_num, row, columns) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV file in UTF-8: {first_line(error)}; save it anew") from None
    return rows, bool({"part", "split"} & set(columns))


def _read_row(path: Path, line: int, row: dict[str, str | None], columns: list[str]) -> _Row:
    read = unescape if columns == _SPLIT_COLUMNS else str
    image, label = read(row["path"] or ""), read(row["label"] or "")
    for name, value in (("path", image), ("label", label)):
        if not value or "\0" in value:
            raise DatasetError(f"{path}, line {line} has no usable {name}; fill it in, or remove the line")
    split = next((row[name] or "" for name in ("part", "split") if name in columns), "train")
    if split.lower() not in _SPLIT_OF:
        raise DatasetError(f"{path}, line {line} has the split {split!r}; it must be one of {', '.join(SPLITS)}")
    return _Row(line, str(path.parent / image), label, _SPLIT_OF[split.lower()])


def _unwrap(root: Path) -> Path:
    """The folder inside, as long as it is all that there is and holds further folders: archives often wrap one around."""
    while len(folders := _folders(root)) == 1:
        (inside,) = folders
        wraps = _folders(inside) and not _has_images(inside) and not _has_images(root)
        if not wraps or inside.name.lower() in _SPLIT_OF:
            break
        root = inside
    return root


def _folders(root: Path) -> list[Path]:
    """Not the hidden ones, nor what a Mac adds to archives."""
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_EXTENSIONS and path.is_file() for path in folder.iterdir())


def _with_own_splits(root: Path, found: Found, splitting: Splitting) -> Found:
    """`found` and what --val and --test name; no image may be in two splits."""
    own = {name: path for name, path in (("val", splitting.val), ("test", splitting.test)) if path is not None}
    for name, path in own.items():
        if name in found:
            raise DatasetError(f"{root} has a {name} split already; leave out --{name}, or name only the training images")
        listing = _list(path)
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
                raise DatasetError(f"class {name!r} is in {split} but not in train, so it could never be learnt")
        for name in classes:
            if not by_class.get(name):
                raise DatasetError(f"class {name!r} has no images in {split}; add some, or remove the class")
