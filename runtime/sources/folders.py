"""Images in folders: one folder listed at a time, so that the first frame comes at once and memory stays small."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.source_part import file_frame

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
NO_IMAGES = f"(looked for {' '.join(sorted(IMAGE_EXTENSIONS))}, in sub-folders too)"


def is_image(name: str) -> bool:
    """Whether a file of this name is an image by its extension; hidden ones are none."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS


class FolderPart:
    """A folder, searched in depth for images; other files, hidden files and linked folders are counted and passed over."""

    def __init__(self, name: str, follow_links: bool = False) -> None:
        self.prefix = os.path.join(name, "")
        self.roots: tuple[str, ...] = (name,)
        self.folders: tuple[str, ...] = (name,)
        self.skipped = 0
        self.empty = f"{name!r} holds no images {NO_IMAGES}"
        self._name = name
        self._follow_links = follow_links

    def frames(self, source: int) -> Iterator[Frame]:
        for path, is_frame in walk(self._name, self._follow_links):
            if is_frame:
                yield file_frame(self.prefix, path[len(self.prefix) :], source)
            else:
                self.skipped += 1

    def count(self) -> int:
        return sum(is_frame for _, is_frame in walk(self._name, self._follow_links))


def walk(root: str, follow_links: bool = False) -> Iterator[tuple[str, bool]]:
    """Each file below `root` in sorted order, and whether it is an image by its extension.

    A folder that cannot be listed is yielded like an image: reading it fails, and so it becomes a row with its reason
    instead of a silent gap. Linked folders are entered only with `follow_links`, and then not where they lead back to a
    folder that they are in: such a loop is yielded as no image.
    """
    listing = list_folder(root, follow_links)
    if listing is None:
        yield root, True
        return
    above = [listing]
    while above:
        folder = above[-1]
        if not folder.names:
            above.pop()
            continue
        name = folder.names.pop()
        path = folder.prefix + name
        if name not in folder.folders:
            yield path, is_image(name)
            continue
        inner = list_folder(path, follow_links)
        if inner is None:
            yield path, True
        elif follow_links and inner.identity in [outer.identity for outer in above]:
            yield path, False
        else:
            above.append(inner)


@dataclass(frozen=True, slots=True)
class Listing:
    """prefix: what goes before a name to make it a path. names: of all entries, last first, so that the next can be popped.

    folders: those of them that are to be entered. identity: device and inode, where links are followed; they tell a loop.
    """

    prefix: str
    names: list[str]
    folders: set[str]
    identity: tuple[int, int] | None = None


def list_folder(path: str, follow_links: bool = False) -> Listing | None:
    """What is in a folder now; None when it cannot be listed to its end, or is gone."""
    names = []
    folders = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                names.append(entry.name)
                if not entry.name.startswith(".") and _is_folder(entry, follow_links):
                    folders.add(entry.name)
        identity = _identity(path) if follow_links else None
    except OSError:
        return None
    names.sort(reverse=True)
    return Listing(os.path.join(path, ""), names, folders, identity)


def _is_folder(entry: os.DirEntry[str], follow_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError:  # a link that leads through a folder that is closed to us: reading it will say so
        return False


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
