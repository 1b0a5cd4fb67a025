"""The labelled images that a folder or a CSV file holds, by split and class."""

import csv
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from edgeclf.runtime.errors import DatasetError, OptionError, first_line
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.sources.folders import is_passed_over, walk
from edgeclf.runtime.spelling import near
from edgeclf.runtime.terminal.escaping import escape, unescape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.class_folders import SPLIT_OF, PassedOver, describe_passed_over, find_class_folders, own_output
from edgeclf.train.data.layout import doubts
from edgeclf.train.data.other_files import kind_of
from edgeclf.train.data.own_outputs import OwnOutputs
from edgeclf.train.data.reading import AS_USUAL, Reading

SPLITS = ("train", "val", "test")

SPLIT_COLUMNS = ["path", "label", "part"]
COPY_COLUMN, DROPPED = "copy_of", "dropped"
"""A further column of `split.csv`, and the split of images that are listed there but not used."""

Found = dict[str, dict[str, list[str]]]
"""Paths by split and class."""


@dataclass(frozen=True)
class Listing:
    """What `root` holds.

    found: paths by split and class. top: the folder that holds the training classes, or the CSV file. is_split: whether
    the data is split already. others: the number of files without an image extension, by kind. doubts: sentences about
    folders that may not be the classes. merged: classes whose folders are spelled in two ways. passed_over: a sentence
    about folders in which no images were looked for; empty if there were none.
    """

    found: Found
    top: Path
    is_split: bool
    others: Mapping[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    passed_over: str = ""

    def notes(self) -> tuple[str, ...]:
        """What people should know before they use these images, as sentences."""
        return (*self.doubts, *map(describe_merged, self.merged), *filter(None, (self.passed_over,)))


class ListedImage(NamedTuple):
    """One row of a CSV file: its line number, the path of the image, its label and its split."""

    line: int
    path: str
    label: str
    split: str


def class_name(name: str) -> str:
    """A class's name in the one spelling that is compared: macOS stores é as two characters, other systems as one."""
    return unicodedata.normalize("NFC", name)


def describe_merged(label: str) -> str:
    """The sentence about a class whose folders or rows are spelled in two ways."""
    return f"{escape(label)} is spelled in two ways, with its accents as one character or as two; both are one class"


def list_images(root: Path, reading: Reading = AS_USUAL) -> Listing:
    if root.is_dir():
        return _list_flat(root, reading) if reading.label_from else _list_folder(root, reading)
    if root.suffix.lower() == ".csv" and root.is_file():
        if reading.label_from:
            raise OptionError(f"--label-from is for folders, and {root} has a column with the labels; leave it out")
        return _list_rows(root)
    cure = "name a folder with one sub-folder per class, or a CSV file with the columns path and label"
    if not root.exists():
        raise DatasetError(f"{root} does not exist; {near(root) or cure}")
    if model_format(root):
        raise DatasetError(f"{root} is a model, not a folder of images; name the model first, and then the images")
    raise DatasetError(f"{root} is not a folder; {cure}")


def _list_folder(root: Path, reading: Reading) -> Listing:
    folders = find_class_folders(root)
    found: Found = {}
    spellings: dict[str, set[str]] = {}
    passed_over = list(folders.passed_over)
    skipped: Counter[str] = Counter()
    for split, in_split in folders.classes.items():
        for folder in in_split:
            label = class_name(folder.name)
            spellings.setdefault(label, set()).add(folder.name)
            images, others, inside = _images_below(folder, root, reading)
            found.setdefault(split, {}).setdefault(label, []).extend(images)
            passed_over += inside
            skipped += others
    return Listing(
        found or {"train": {}},
        folders.tops.get("train", folders.root),
        folders.is_split,
        skipped,
        doubts=tuple(doubts(folders, root)),
        merged=tuple(label for label, names in spellings.items() if len(names) > 1),
        passed_over=describe_passed_over(passed_over, root),
    )


def _list_flat(root: Path, reading: Reading) -> Listing:
    """All images below `root`, each with the class that its file name begins with."""
    images, others, passed_over = _images_below(root, root, reading)
    by_class: dict[str, list[str]] = {}
    unnamed = []
    for path in images:
        if label := reading.label_of(os.path.basename(path)):
            by_class.setdefault(class_name(label), []).append(path)
        else:
            unnamed.append(path)
    if unnamed:
        count = f"{len(unnamed):,} of {plural(len(images), 'image')}"
        raise DatasetError(
            f"--label-from {reading.label_from} finds no class in the names of {count}, the first of them {unnamed[0]}; "
            "correct it, or move them away"
        )
    return Listing({"train": by_class}, root, False, others, passed_over=describe_passed_over(passed_over, root))


def _images_below(folder: Path, root: Path, reading: Reading) -> tuple[list[str], Counter[str], list[PassedOver]]:
    """The images of a class, the number of other files by kind, and the folders that were passed over."""
    outputs = OwnOutputs()
    images: list[str] = []
    passed_over: dict[PassedOver, None] = {}
    others: Counter[str] = Counter()
    above = [str(parent) for parent in folder.parents if parent.is_relative_to(root)]
    for path, may_be_image in walk(str(folder), reading.follow_links, above):
        if may_be_image:
            ours = outputs.folder_of(path, str(folder))
            if ours is None:
                images.append(path)
            else:
                passed_over[own_output(ours)] = None
        elif is_passed_over(os.path.basename(path)) and os.path.isdir(path):
            passed_over[PassedOver(path)] = None
        else:
            others[kind_of(path)] += 1
    return images, others, list(passed_over)


def _list_rows(path: Path) -> Listing:
    rows, is_split = read_rows(path)
    found: Found = {}
    lines: dict[str, int] = {}
    for row in rows:
        if lines.setdefault(row.path, row.line) != row.line:
            raise DatasetError(f"{path}, line {row.line}: {row.path!r} is already in line {lines[row.path]}; remove one")
        found.setdefault(row.split, {}).setdefault(row.label, []).append(row.path)
    return Listing(found or {"train": {}}, path.parent, is_split)


def read_rows(path: Path) -> tuple[list[ListedImage], bool]:
    """The rows of a CSV file, and whether it has a split column. Raises DatasetError with the line number."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            if not {"path", "label"} <= set(columns):
                raise DatasetError(f"{path}, line 1 must name the columns path and label, not {','.join(columns)!r}")
            used = (row for row in reader if COPY_COLUMN not in columns or row.get("part") != DROPPED)
            rows = [_read_row(path, reader.line_num, row, columns) for row in used]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV file in UTF-8: {first_line(error)}; save it again") from None
    return rows, bool({"part", "split"} & set(columns))


def _read_row(path: Path, line: int, row: dict[str, str | None], columns: list[str]) -> ListedImage:
    read = unescape if columns in (SPLIT_COLUMNS, [*SPLIT_COLUMNS, COPY_COLUMN]) else str
    image, label = read(row["path"] or ""), read(row["label"] or "")
    for name, value in (("path", image), ("label", label)):
        if not value or "\0" in value:
            raise DatasetError(f"{path}, line {line} has no usable {name}; fill it in, or remove the line")
    split = next((row[name] or "" for name in ("part", "split") if name in columns), "train")
    if split.lower() not in SPLIT_OF:
        raise DatasetError(f"{path}, line {line} has the split {split!r}; it must be one of {', '.join(SPLITS)}")
    return ListedImage(line, str(_image_path(path.parent, image)), class_name(label), SPLIT_OF[split.lower()])


def _image_path(folder: Path, image: str) -> Path:
    """The path of an image in a CSV file. Windows writes backslashes; elsewhere a file name may hold some."""
    path = folder / image
    return folder / image.replace("\\", "/") if "\\" in image and not path.exists() else path
