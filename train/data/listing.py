"""The labelled images that a folder or a CSV file holds, by split and class."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgeclf.runtime.errors import DatasetError, first_line
from edgeclf.runtime.sources.folders import IMAGE_EXTENSIONS, walk
from edgeclf.runtime.terminal.escaping import escape, unescape

SPLITS = ("train", "val", "test")

_SPLIT_NAMES = {
    "train": ("train", "training", "training_set", "train_set"),
    "val": ("val", "valid", "validation", "validation_set", "val_set"),
    "test": ("test", "testing", "test_set"),
}
_SPLIT_OF = {name: split for split, names in _SPLIT_NAMES.items() for name in names}
SPLIT_COLUMNS = ["path", "label", "part"]

Found = dict[str, dict[str, list[str]]]
"""Paths by split and class."""


@dataclass(frozen=True)
class Listing:
    """What `root` holds.

    found: paths by split and class. top: the folder that holds the training classes, or the CSV file. is_split: whether
    the data is split already. skipped: the number of files without an image extension.
    """

    found: Found
    top: Path
    is_split: bool
    skipped: int = 0


class ListedImage(NamedTuple):
    """One row of a CSV file: its line number, the path of the image, its label and its split."""

    line: int
    path: str
    label: str
    split: str


def list_images(root: Path) -> Listing:
    if root.is_dir():
        return _list_folder(_unwrap(root))
    if root.suffix.lower() == ".csv" and root.is_file():
        return _list_rows(root)
    raise DatasetError(
        f"{root} is not a folder; name a folder with one sub-folder per class, or a CSV file with the columns path and label"
    )


def _list_folder(root: Path) -> Listing:
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
    return Listing(found or {"train": {}}, tops.get("train", root), bool(named), skipped)


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
            rows = [_read_row(path, reader.line_num, row, columns) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV file in UTF-8: {first_line(error)}; save it again") from None
    return rows, bool({"part", "split"} & set(columns))


def _read_row(path: Path, line: int, row: dict[str, str | None], columns: list[str]) -> ListedImage:
    read = unescape if columns == SPLIT_COLUMNS else str
    image, label = read(row["path"] or ""), read(row["label"] or "")
    for name, value in (("path", image), ("label", label)):
        if not value or "\0" in value:
            raise DatasetError(f"{path}, line {line} has no usable {name}; fill it in, or remove the line")
    split = next((row[name] or "" for name in ("part", "split") if name in columns), "train")
    if split.lower() not in _SPLIT_OF:
        raise DatasetError(f"{path}, line {line} has the split {split!r}; it must be one of {', '.join(SPLITS)}")
    return ListedImage(line, str(path.parent / image), label, _SPLIT_OF[split.lower()])


def _unwrap(root: Path) -> Path:
    """Step into single folders that hold only folders: archives often have one around everything."""
    while len(folders := _folders(root)) == 1:
        (inside,) = folders
        wraps = _folders(inside) and not _has_images(inside) and not _has_images(root)
        if not wraps or inside.name.lower() in _SPLIT_OF:
            break
        root = inside
    return root


def _folders(root: Path) -> list[Path]:
    """Sub-folders, without hidden ones and without the one that macOS adds to archives."""
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_EXTENSIONS and path.is_file() for path in folder.iterdir())
