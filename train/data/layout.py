"""Says where the folders of a data set may not be the classes, and which images lie where they do not count."""

import os
from collections import Counter
from pathlib import Path

from edgeclf.runtime.results.row import NO_LABEL
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.class_folders import SPLIT_OF, ClassFolders, holds_images, images_in, sub_folders

_LISTED = 4


def doubts(folders: ClassFolders, data: Path) -> list[str]:
    """Sentences about folders that look as if they were meant otherwise."""
    return [*_stray_images(folders, data), *_inner_classes(folders), *_status_classes(folders)]


def _stray_images(folders: ClassFolders, data: Path) -> list[str]:
    found = []
    for top in dict.fromkeys((folders.root, *folders.tops.values())):
        if not (count := sum(1 for _ in images_in(top))):
            continue
        place = "" if top == data else f" in {escape(os.path.relpath(top, data))}/"
        split = next((split for split, path in folders.tops.items() if path == top), None)
        if split is None or folders.classes[split]:
            found.append(f"{plural(count, 'image')}{place} beside the folders {'is' if count == 1 else 'are'} not used")
        elif split != "train":
            found.append(
                f"{plural(count, 'image')}{place} without class folders {'is' if count == 1 else 'are'} not used; the "
                f"{split} images are split off the others"
            )
    return found


def _inner_classes(folders: ClassFolders) -> list[str]:
    """Whether the classes consist of folders that look like the classes themselves."""
    classes = folders.classes.get("train", [])
    inside = {folder.name: _folder_names(folder) for folder in classes}
    times = Counter(name for names in inside.values() for name in names)
    shared = sorted(name for name, count in times.items() if count > 1 and 2 * count > len(classes))
    holders = [name for name, names in inside.items() if names]
    if len(shared) > 1 and all(name.lower() in SPLIT_OF for name in shared):
        return [
            f"the classes ({_listed(holders)}) have folders named as splits ({_listed(shared)}), which are not used as "
            "splits; put those above the classes"
        ]
    if len(shared) > 1:
        return [
            f"the classes ({_listed(holders)}) have sub-folders of the same names ({_listed(shared)}); if those are the "
            "classes, name one of the folders above them, or list the images in a CSV file with the columns path and label"
        ]
    if classes and all(_is_letter_of(name, names) for name, names in inside.items()):
        return [
            f"the classes ({_listed(holders)}) are letters, and their sub-folders begin with them; if those are the "
            "classes, move them up by one folder"
        ]
    return []


def _status_classes(folders: ClassFolders) -> list[str]:
    names = [folder.name for folder in folders.classes.get("train", []) if folder.name in NO_LABEL]
    return [f"{name} is a class; move it away if it holds the images that clf-run --sort has put there" for name in names]


def _folder_names(folder: Path) -> set[str]:
    """The sub-folders of a class without images of its own, or those of the only folder in it."""
    if holds_images(folder):
        return set()
    inside = sub_folders(folder)
    if len(inside) == 1 and not holds_images(inside[0]):
        inside = sub_folders(inside[0])
    return {path.name for path in inside}


def _is_letter_of(name: str, inside: set[str]) -> bool:
    return len(name) == 1 and bool(inside) and all(other.lower().startswith(name.lower()) for other in inside)


def _listed(names: list[str]) -> str:
    more = ", ..." if len(names) > _LISTED else ""
    return ", ".join(map(escape, names[:_LISTED])) + more
