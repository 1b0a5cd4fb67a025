"""From a folder or a CSV file to labelled images in three splits: train, val and test."""

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
    """Images and their labels, in the same order. A label is an index into the dataset's classes."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dataset:
    """Classes in sorted order, and the three splits.

    skipped: the number of files without an image extension. ungrouped: the number of images that `--split-by` put in no
    group, so that each was split on its own. copies: groups of files with the same bytes.
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
    """Find the images in `root` and split those that have no split yet.

    `root` holds one folder per class, or `train`, `val` and `test` (under any of their usual names, in any letter case) with
    one folder per class each. A single folder around all of that is skipped. Or `root` is a CSV file with the columns `path`
    (relative to the file's folder), `label` and, if it is split, `part` or `split`. A missing split is cut from `train`.
    Raises DatasetError if nothing is there, for fewer than two classes, a class without images, or one missing from train.
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
    """Paths by split and class, and the number of other files. Images without a split are `train`."""
    listing = _list(root)
    return listing.found, listing.skipped


def labelled(by_class: dict[str, list[str]], classes: tuple[str, ...], data: Path) -> Labelled:
    """Images with a model's labels, matched by class name. Raises DatasetError for a class that the model does not know."""
    for name in by_class:
        if name not in classes:
            raise DatasetError(f"{data} has the class {name!r}, which the model does not know ({', '.join(classes)})")
    return [(path, classes.index(name)) for name in sorted(by_class) for path in by_class[name]]


def as_split(images: Labelled) -> Split:
    """A split made of (path, label) pairs."""
    return Split(tuple(path for path, _ in images), tuple(label for _, label in images))


def write_split(dataset: Dataset, path: Path) -> None:
    """Write every image with its class and split to `split.csv`. Paths are absolute and escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_SPLIT_COLUMNS)
    for name, split in dataset.splits().items():
        for image, label in zip(split.paths, split.labels, strict=True):
            writer.writerow((escape(os.path.abspath(image)), escape(dataset.classes[label]), name))
    publish_text(path, text.getvalue())


def read_split(path: Path, split: str, classes: tuple[str, ...]) -> Split:
    """One split from a `split.csv`. Raises DatasetError if the file is not one, or if it names other classes."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(unescape(row["path"]), unescape(row["label"])) for row in csv.DictReader(file) if row["part"] == split]
        return as_split([(image, classes.index(label)) for image, label in rows])
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} does not list this model's images ({error}); name them with --data DIR") from None


def read_dataset(path: Path) -> Dataset:
    """The dataset that a run's `split.csv` describes, with its images in the same order. Raises DatasetError."""
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
    """What `root` holds.

    found: paths by split and class. top: the folder with the training classes, or with the CSV file. is_split: whether the
    data comes with splits of its own.
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
        f"{root} is not a folder; name a folder with one sub-folder per class, or a CSV file with the columns path and label"
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
            raise DatasetError(f"{path}, line {row.line}: {row.path!r} is already in line {lines[row.path]}; remove one")
        found.setdefault(row.split, {}).setdefault(row.label, []).append(row.path)
    return _Listing(found or {"train": {}}, path.parent, is_split)


def _read_rows(path: Path) -> tuple[list[_Row], bool]:
    """The rows of a CSV file, and whether it has a split column. Raises DatasetError with the line number."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            if not {"path", "label"} <= set(columns):
                raise DatasetError(f"{path}, line 1 must name the columns path and label, not {','.join(columns)!r}")
            rows = [_read_row(path, reader.line_num, row, columns) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV file in UTF-8: {first_line(error)}; save it again") from None
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
    """Step into single folders that hold only folders: archives often wrap one around everything."""
    while len(folders := _folders(root)) == 1:
        (inside,) = folders
        wraps = _folders(inside) and not _has_images(inside) and not _has_images(root)
        if not wraps or inside.name.lower() in _SPLIT_OF:
            break
        root = inside
    return root


def _folders(root: Path) -> list[Path]:
    """Sub-folders, without hidden ones and the one that macOS adds to archives."""
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_EXTENSIONS and path.is_file() for path in folder.iterdir())


def _with_own_splits(root: Path, found: Found, splitting: Splitting) -> Found:
    """Add the images of --val and --test to `found`. An image may be in one split only."""
    own = {name: path for name, path in (("val", splitting.val), ("test", splitting.test)) if path is not None}
    for name, path in own.items():
        if name in found:
            raise DatasetError(f"{root} already has a {name} split; leave out --{name}, or name only the training images")
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
                raise DatasetError(f"class {name!r} is in {split} but not in train, so it cannot be learned")
        for name in classes:
            if not by_class.get(name):
                raise DatasetError(f"class {name!r} has no images in {split}; add some, or remove the class")
