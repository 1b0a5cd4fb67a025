"""Images in folders. One folder is listed at a time, so that the first frame comes at once and memory use stays small."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.source_part import file_frame

READ_EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
IMAGE_EXTENSIONS = READ_EXTENSIONS | {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jxl"}
"""The further ones are not read. They count as images, so that each has a row that says so, rather than being skipped."""
SYSTEM_FOLDERS = frozenset(
    {
        "__macosx",  # macOS, in archives
        "network trash folder",  # file servers for macOS
        "temporary items",
        "$recycle.bin",  # Windows
        "system volume information",
        "lost+found",  # Linux
        "@eadir",  # Synology: thumbnails of every image
        "#recycle",
        "#snapshot",
        "@tmp",
        "@recycle",  # QNAP
        "@recently-snapshot",
        "~snapshot",  # NetApp
        "_gsdata_",  # GoodSync
        "__pycache__",
    }
)
"""What systems and programs leave beside images: thumbnails, deleted files, older versions. Lower case."""
NO_IMAGES = f"(looked for {' '.join(sorted(READ_EXTENSIONS))}, in sub-folders too)"


def is_image(name: str) -> bool:
    """Whether a file of this name is an image by its extension. Hidden files are not images."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS


def is_passed_over(folder: str) -> bool:
    """Whether a folder of this name is hidden or a system's own. It is searched only if it is named itself."""
    return folder.startswith(".") or folder.lower() in SYSTEM_FOLDERS


class FolderImages:
    """The images in a folder, searched recursively. Other files are skipped and counted.

    So are hidden files, linked folders, hidden folders and those in SYSTEM_FOLDERS.
    """

    def __init__(self, name: str, follow_links: bool = False) -> None:
        self.prefix = os.path.join(name, "")
        self.roots: tuple[str, ...] = (name,)
        self.folders: tuple[str, ...] = (name,)
        self.skipped = 0
        self.empty_message = f"{name!r} holds no images {NO_IMAGES}"
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


def walk(root: str, follow_links: bool = False, above: Iterable[str] = ()) -> Iterator[tuple[str, bool]]:
    """Each file below `root` in sorted order, and whether it is an image by its extension.

    A folder that cannot be listed is yielded like an image: reading it fails, so it becomes a row with a reason instead of
    a silent gap. Linked folders are entered only with `follow_links`. A link back to a folder above it would be a loop; it
    is not entered, and is yielded as a file that is not an image. above: further folders to which such a link may lead.
    """
    listing = list_folder(root, follow_links)
    if listing is None:
        yield root, True
        return
    outer = [_identity(path) for path in above] if follow_links else []
    stack = [listing]
    while stack:
        folder = stack[-1]
        if not folder.names:
            stack.pop()
            continue
        name = folder.names.pop()
        path = folder.prefix + name
        if name not in folder.folders:
            yield path, is_image(name)
            continue
        inner = list_folder(path, follow_links)
        if inner is None:
            yield path, True
        elif follow_links and inner.identity in [*outer, *(one.identity for one in stack)]:
            yield path, False
        else:
            stack.append(inner)


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of one folder.

    prefix: turns a name into a path. names: of all entries, in reverse order, so that `pop` returns the next one.
    folders: the names that are sub-folders to enter. identity: device and inode, to detect loops; only if links are
    followed.
    """

    prefix: str
    names: list[str]
    folders: set[str]
    identity: tuple[int, int] | None = None


def list_folder(path: str, follow_links: bool = False) -> Listing | None:
    """The current entries of a folder; None if it is gone or cannot be listed completely."""
    names = []
    folders = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                names.append(entry.name)
                if not is_passed_over(entry.name) and _is_folder(entry, follow_links):
                    folders.add(entry.name)
        identity = _identity(path) if follow_links else None
    except OSError:
        return None
    names.sort(reverse=True)
    return Listing(os.path.join(path, ""), names, folders, identity)


def _is_folder(entry: os.DirEntry[str], follow_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError:  # a link through a folder without access; reading it reports the error
        return False


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
