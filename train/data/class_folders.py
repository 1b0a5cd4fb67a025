"""Which folders of a data set are splits, which are classes, and which are neither."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.sources.folders import is_image, is_passed_over, list_folder
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.data.own_outputs import OwnOutputs, is_sorted_output

_SPLIT_NAMES = {
    "train": ("train", "training", "training_set", "train_set"),
    "val": ("val", "valid", "validation", "validation_set", "val_set"),
    "test": ("test", "testing", "test_set"),
}
SPLIT_OF = {name: split for split, names in _SPLIT_NAMES.items() for name in names}

_LISTED = 8
_WRITTEN = "written by edgeclf"
_LOOP = "a link to a folder above it"
_SORTED = "folders named like the classes beside it, so sorted images"


class PassedOver(NamedTuple):
    """A folder in which no images are looked for, and why; without a reason, its name says it."""

    path: str
    why: str = ""


@dataclass(frozen=True)
class ClassFolders:
    """The folders of a data set.

    root: the folder with the splits or the classes. tops: the folder of each split; {"train": root} if there are no splits.
    classes: the class folders of each split. passed_over: folders that are neither.
    """

    root: Path
    tops: dict[str, Path]
    classes: dict[str, list[Path]]
    is_split: bool
    passed_over: tuple[PassedOver, ...]


def find_class_folders(data: Path) -> ClassFolders:
    """Raises DatasetError if splits lie beside other folders, or if two folders are the same split."""
    outputs = OwnOutputs()
    passed_over: list[PassedOver] = []
    root = _unwrap(data, outputs)
    splits = _split_folders(root, outputs, passed_over)
    tops = {split: _unwrap_split(folder, split) for split, folder in splits.items()} or {"train": root}
    classes = {split: _class_folders(top, outputs, passed_over) for split, top in tops.items()}
    return ClassFolders(root, tops, classes, bool(splits), tuple(dict.fromkeys(passed_over)))


def images_in(folder: Path) -> Iterator[str]:
    """The names of the images in this very folder that edgeclf has not written."""
    outputs = OwnOutputs()
    for name in _files(folder):
        if is_image(name) and outputs.folder_of(os.path.join(folder, name), str(folder)) is None:
            yield name


def holds_images(folder: Path) -> bool:
    """Whether there are images in this very folder."""
    return next(images_in(folder), None) is not None


def sub_folders(folder: Path) -> list[Path]:
    """Sorted, without hidden ones and those that systems leave beside images. Links are followed."""
    listing = list_folder(str(folder), follow_links=True)
    return sorted(folder / name for name in listing.folders) if listing else []


def own_output(folder: str) -> PassedOver:
    """A folder that edgeclf has written."""
    return PassedOver(folder, _WRITTEN)


def describe_passed_over(folders: Iterable[PassedOver], data: Path) -> str:
    """The sentence that says what was passed over; empty if nothing was."""
    counts = Counter((escape(os.path.relpath(path, data) if why else os.path.basename(path)), why) for path, why in folders)
    listed = [_described(name, why, count) for (name, why), count in counts.items()]
    more = f" and {len(listed) - _LISTED:,} more" if len(listed) > _LISTED else ""
    return f"passed over, as no class: {', '.join(listed[:_LISTED])}{more}" if listed else ""


def _described(name: str, why: str, count: int) -> str:
    details = [why] * bool(why) + [f"{count:,} folders"] * (count > 1)
    return f"{name} ({', '.join(details)})" if details else name


def _split_folders(root: Path, outputs: OwnOutputs, passed_over: list[PassedOver]) -> dict[str, Path]:
    """The folder of each split; empty if the folders in `root` are classes."""
    folders = _candidates(root, outputs, passed_over)
    named = [folder for folder in folders if folder.name.lower() in SPLIT_OF]
    others = [folder for folder in folders if folder not in named]
    if others and all(map(_is_class, named)):  # also if none is named like a split
        return {}
    splits = {SPLIT_OF[folder.name.lower()]: folder for folder in named}
    if len(named) != len(splits):
        raise DatasetError(f"{root} has two folders for one split: {', '.join(folder.name for folder in named)}")
    learned = [folder.name for folder in sub_folders(splits["train"])] if "train" in splits else []
    is_sorted = [is_sorted_output(folder, learned) for folder in others]
    passed_over += [PassedOver(str(path), _SORTED) for path, found in zip(others, is_sorted, strict=True) if found]
    if not all(is_sorted):
        listed = ", ".join(escape(path.name) for path, found in zip(others, is_sorted, strict=True) if not found)
        raise DatasetError(
            f"{root} mixes splits ({', '.join(splits)}) with other folders ({listed}); move those away, or list the images "
            "in a CSV file with the columns path and label"
        )
    return splits


def _class_folders(top: Path, outputs: OwnOutputs, passed_over: list[PassedOver]) -> list[Path]:
    folders = _candidates(top, outputs, passed_over)
    names = {folder.name for folder in folders}
    is_sorted = {folder: is_sorted_output(folder, names - {folder.name}) for folder in folders}
    passed_over += [PassedOver(str(folder), _SORTED) for folder in folders if is_sorted[folder]]
    return [folder for folder in folders if not is_sorted[folder]]


def _candidates(folder: Path, outputs: OwnOutputs, passed_over: list[PassedOver]) -> list[Path]:
    """The sub-folders that may be splits or classes; the others are added to `passed_over`."""
    passed_over += [
        PassedOver(str(folder / name)) for name in _files(folder) if is_passed_over(name) and (folder / name).is_dir()
    ]
    found = sub_folders(folder)
    passed_over += [PassedOver(str(path), _LOOP) for path in found if _is_loop(path)]
    folders = [path for path in found if not _is_loop(path)]
    ours = [path for path in folders if outputs.is_output(str(path))]
    passed_over += [own_output(str(path)) for path in ours]
    return [path for path in folders if path not in ours]


def _is_loop(path: Path) -> bool:
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())


def _files(folder: Path) -> list[str]:
    """Everything in a folder but `sub_folders`."""
    listing = list_folder(str(folder), follow_links=True)
    return [name for name in listing.names if name not in listing.folders] if listing else []


def _is_class(folder: Path) -> bool:
    """Whether a folder with the name of a split is a class all the same: it holds images, and no class folders."""
    return len(sub_folders(folder)) < 2 and holds_images(folder)


def _unwrap(root: Path, outputs: OwnOutputs) -> Path:
    """Step into single folders that hold only folders: archives often have one around everything."""
    while len(folders := _candidates(root, outputs, [])) == 1:
        (inside,) = folders
        if not _wraps(root, inside) or inside.name.lower() in SPLIT_OF:
            break
        root = inside
    return root


def _unwrap_split(folder: Path, split: str) -> Path:
    """Step into `train/train`, as some archives have it."""
    folders = sub_folders(folder)
    is_repeated = len(folders) == 1 and SPLIT_OF.get(folders[0].name.lower()) == split
    return folders[0] if is_repeated and _wraps(folder, folders[0]) else folder


def _wraps(folder: Path, inside: Path) -> bool:
    return bool(sub_folders(inside)) and not holds_images(inside) and not holds_images(folder)
