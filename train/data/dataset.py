"""From a folder or a table to labelled images in three parts: finding them, naming their classes, splitting the rest."""

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

PARTS = ("train", "val", "test")
SPLIT_NAME = "split.csv"

_PART_NAMES = {
    "train": ("train", "training", "training_set", "train_set"),
    "val": ("val", "valid", "validation", "validation_set", "val_set"),
    "test": ("test", "testing", "test_set"),
}
_PART_OF = {name: part for part, names in _PART_NAMES.items() for name in names}
_SPLIT_COLUMNS = ["path", "label", "part"]
_DEFAULT = Splitting()

Found = dict[str, dict[str, list[str]]]
"""Paths by part and class."""


@dataclass(frozen=True)
class Part:
    """Images with their labels, side by side; a label is an index into the dataset's classes."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Dataset:
    """Classes in sorted order, and the three parts.

    skipped: files that were no images by their extension. ungrouped: images that a splitting by groups found in no
    group, and cut each for itself. copies: groups of files with the same bytes.
    """

    classes: tuple[str, ...]
    train: Part
    val: Part
    test: Part
    skipped: int = 0
    ungrouped: int = 0
    copies: tuple[tuple[str, ...], ...] = ()

    def parts(self) -> dict[str, Part]:
        """The parts by name, in the order train, val, test."""
        return {name: getattr(self, name) for name in PARTS}

    def by_class(self) -> Found:
        """Paths by part and class."""
        found: Found = {name: {label: [] for label in self.classes} for name in PARTS}
        for name, part in self.parts().items():
            for path, label in zip(part.paths, part.labels, strict=True):
                found[name][self.classes[label]].append(path)
        return found


def scan(root: Path, splitting: Splitting = _DEFAULT) -> Dataset:
    """Find the images that `root` names and split what is not split yet.

    `root` holds one folder a class, or `train`, `val` and `test` (under any of their usual names, in any letter case) with
    one folder a class each; a single folder around all that is passed through. Or it is a CSV file with the columns `path`
    (from the file's folder), `label` and, where it is split, `part` or `split`. A part that is missing is cut from `train`.
    Raises DatasetError: nothing there, fewer than two classes, a class without images, a class that training never sees.
    """
    listing = _list(root)
    found = _with_own_parts(root, listing.found, splitting)
    if "train" not in found:
        raise DatasetError(f"{root} has {', '.join(found)} but no train {'folder' if root.is_dir() else 'rows'}")
    classes = tuple(sorted(found["train"]))
    _check_classes(root, classes, found)
    parts = {name: labelled(by_class, classes, root) for name, by_class in limited(found, splitting).items()}
    missing = [name for name in PARTS if name not in parts]
    names = group_names(parts["train"], classes, listing.top, splitting.by if missing else "")
    copies = exact_duplicates([path for images in parts.values() for path, _ in images])
    parts |= cut(parts["train"], names, copies, classes, missing, splitting)
    train, val, test = (as_part(parts[name]) for name in PARTS)
    return Dataset(classes, train, val, test, listing.skipped, names.count(None) if any(names) else 0, tuple(copies))


def find(root: Path) -> tuple[Found, int]:
    """Paths by part and class, and how many other files there are. What is in no part is `train`."""
    listing = _list(root)
    return listing.found, listing.skipped


def labelled(by_class: dict[str, list[str]], classes: tuple[str, ...], data: Path) -> Labelled:
    """Images with a model's labels, aligned by name. Raises DatasetError for a class that the model does not know."""
    for name in by_class:
        if name not in classes:
            raise DatasetError(f"{data} has the class {name!r}, which the model does not know ({', '.join(classes)})")
    return [(path, classes.index(name)) for name in sorted(by_class) for path in by_class[name]]


def as_part(images: Labelled) -> Part:
    """Pairs of path and label as a part."""
    return Part(tuple(path for path, _ in images), tuple(label for _, label in images))


def write_split(dataset: Dataset, path: Path) -> None:
    """Every image with its class and part, as `split.csv`; paths are absolute and escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_SPLIT_COLUMNS)
    for name, part in dataset.parts().items():
        for image, label in zip(part.paths, part.labels, strict=True):
            writer.writerow((escape(os.path.abspath(image)), escape(dataset.classes[label]), name))
    publish_text(path, text.getvalue())


def read_split(path: Path, part: str, classes: tuple[str, ...]) -> Part:
    """One part of a `split.csv`. Raises DatasetError when it is no such file or speaks of other classes."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(unescape(row["path"]), unescape(row["label"])) for row in csv.DictReader(file) if row["part"] == part]
        return as_part([(image, classes.index(label)) for image, label in rows])
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is no split of this model's images ({error}); name them with --data DIR") from None


def read_dataset(path: Path) -> Dataset:
    """The dataset that a run's `split.csv` describes, its images in the same order. Raises DatasetError."""
    rows, _ = _read_rows(path)
    found: Found = {part: {} for part in PARTS}
    for row in rows:
        found[row.part].setdefault(row.label, []).append(row.path)
    classes = tuple(sorted(found["train"]))
    _check_classes(path, classes, found)
    labels = {name: label for label, name in enumerate(classes)}
    train, val, test = (as_part([(row.path, labels[row.label]) for row in rows if row.part == part]) for part in PARTS)
    return Dataset(classes, train, val, test)


@dataclass(frozen=True)
class _Listing:
    """What there is: paths by part and class; top: the folder that the training classes are in, or the CSV file is in.

    split: whether `found` says more than that everything is for training.
    """

    found: Found
    top: Path
    split: bool
    skipped: int = 0


class _Row(NamedTuple):
    line: int
    path: str
    label: str
    part: str


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
    named = [(_PART_OF[folder.name.lower()], folder) for folder in folders if folder.name.lower() in _PART_OF]
    if len(named) != len({part for part, _ in named}):
        raise DatasetError(f"{root} has two folders for one part: {', '.join(folder.name for _, folder in named)}")
    if named and len(named) < len(folders):
        others = ", ".join(escape(folder.name) for folder in folders if folder.name.lower() not in _PART_OF)
        raise DatasetError(f"{root} mixes parts ({', '.join(dict(named))}) with other folders ({others}); move those away")
    found: Found = {}
    skipped = 0
    tops = dict(named) or {"train": root}
    for part, top in tops.items():
        for folder in _folders(top):
            files = list(walk(str(folder)))
            found.setdefault(part, {})[folder.name] = [path for path, is_image in files if is_image]
            skipped += sum(not is_image for _, is_image in files)
    return _Listing(found or {"train": {}}, tops.get("train", root), bool(named), skipped)


def _list_rows(path: Path) -> _Listing:
    rows, split = _read_rows(path)
    found: Found = {}
    lines: dict[str, int] = {}
    for row in rows:
        if lines.setdefault(row.path, row.line) != row.line:
            raise DatasetError(f"{path}, line {row.line}: {row.path!r} is in line {lines[row.path]} already; remove one")
        found.setdefault(row.part, {}).setdefault(row.label, []).append(row.path)
    return _Listing(found or {"train": {}}, path.parent, split)


def _read_rows(path: Path) -> tuple[list[_Row], bool]:
    """The rows of a CSV file, and whether it has a column for the part. Raises DatasetError with the line number."""
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
    part = next((row[name] or "" for name in ("part", "split") if name in columns), "train")
    if part.lower() not in _PART_OF:
        raise DatasetError(f"{path}, line {line} has the part {part!r}; it must be one of {', '.join(PARTS)}")
    return _Row(line, str(path.parent / image), label, _PART_OF[part.lower()])


def _unwrap(root: Path) -> Path:
    """The folder inside, as long as it is all that there is and holds further folders: archives often wrap one around."""
    while len(folders := _folders(root)) == 1:
        (inside,) = folders
        wraps = _folders(inside) and not _has_images(inside) and not _has_images(root)
        if not wraps or inside.name.lower() in _PART_OF:
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


def _with_own_parts(root: Path, found: Found, splitting: Splitting) -> Found:
    """`found` and what --val and --test name; no image may be in two parts."""
    own = {name: path for name, path in (("val", splitting.val), ("test", splitting.test)) if path is not None}
    for name, path in own.items():
        if name in found:
            raise DatasetError(f"{root} has a {name} part already; leave out --{name}, or name only the training images")
        listing = _list(path)
        if listing.split:
            raise DatasetError(f"--{name} {path} has parts of its own ({', '.join(listing.found)}); name one of them")
        found = found | {name: listing.found["train"]}
    if own:
        _check_apart(found)
    return found


def _check_apart(found: Found) -> None:
    part_of: dict[str, str] = {}
    for part, by_class in found.items():
        for path in (path for paths in by_class.values() for path in paths):
            other = part_of.setdefault(os.path.abspath(path), part)
            if other != part:
                raise DatasetError(f"{path} is in {other} and in {part}; name other images with --{part}")


def _check_classes(root: Path, classes: tuple[str, ...], found: Found) -> None:
    if len(classes) < 2:
        names = ", ".join(classes) or "none"
        what, cure = ("class folders", "make one sub-folder per class") if root.is_dir() else ("labels", "add the others")
        raise DatasetError(f"{root} has fewer than two {what} to train on ({names}); {cure}")
    folded = {name.casefold(): name for name in classes}
    for part, by_class in found.items():
        for name in by_class:
            if name not in classes and name.casefold() in folded:
                other = folded[name.casefold()]
                raise DatasetError(f"class {name!r} in {part} and {other!r} in train differ only in letter case; rename one")
            if name not in classes:
                raise DatasetError(f"class {name!r} is in {part} but not in train, so it could never be learnt")
        for name in classes:
            if not by_class.get(name):
                raise DatasetError(f"class {name!r} has no images in {part}; add some, or remove the class")
