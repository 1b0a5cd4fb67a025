"""Where pictures come from: a folder, a glob or a file, as one stream of named frames."""

import glob
import os
from collections.abc import Iterator
from typing import Protocol

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.frames.frame import Frame

PICTURE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


class Source(Protocol):
    """Frames in a fixed order. `skipped` counts the files passed over so far because they are no pictures."""

    skipped: int

    def __iter__(self) -> Iterator[Frame]: ...

    def count(self) -> int:
        """How many frames there will be; lists the folder, reads no picture."""
        ...


def open_source(source: str) -> Source:
    """The source that `source` names; an existing file or folder goes before a glob with the same spelling.

    A pattern gives what it matches: files as if each were named, folders to be searched. With `**` it gives files only.
    """
    if os.path.lexists(source):
        return PathSource(source, [source])
    if not glob.has_magic(source):
        raise SourceError(
            f"{source!r} does not exist; --source takes a folder, a picture, or a quoted pattern like 'a/*.jpg'"
        )
    matches = sorted(glob.iglob(source, recursive=True))
    if "**" in source:
        matches = [match for match in matches if not os.path.isdir(match)]  # their files are matches already
    if not matches:
        raise SourceError(f"the pattern {source!r} matches no file; quote it, and try it with ls")
    return PathSource(source, matches)


class PathSource:
    """Files and folders. A file that is named is a frame, whatever it is called.

    Folders are searched in depth, sorted by name, for pictures by their extension; other files, hidden files and linked
    folders in them are counted and passed over.
    """

    def __init__(self, name: str, paths: list[str]) -> None:
        self.name = name
        self.paths = paths
        self.skipped = 0

    def __iter__(self) -> Iterator[Frame]:
        self.skipped = 0
        found = False
        for path, is_picture in self._walk():
            if is_picture:
                found = True
                yield Frame(path, path)
            else:
                self.skipped += 1
        if not found:
            extensions = " ".join(sorted(PICTURE_EXTENSIONS))
            raise SourceError(f"{self.name!r} holds no pictures (looked for {extensions}, in sub-folders too)")

    def count(self) -> int:
        return sum(is_picture for _, is_picture in self._walk())

    def _walk(self) -> Iterator[tuple[str, bool]]:
        for path in self.paths:
            yield from walk(path) if os.path.isdir(path) else [(path, True)]


def walk(root: str) -> Iterator[tuple[str, bool]]:
    """Each file below `root` in sorted order, and whether it is a picture by its extension.

    Linked folders are not entered, so a loop cannot trap the walk. A folder that cannot be listed is yielded like a
    picture: reading it fails, and so it becomes a row with its reason instead of a silent gap.
    """
    waiting = [root]
    while waiting:
        path = waiting.pop()
        if path is not root and not _is_folder(path):
            name = os.path.basename(path)
            yield path, not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_EXTENSIONS
            continue
        try:
            names = os.listdir(path)
        except OSError:
            yield path, True
            continue
        names.sort(reverse=True)
        waiting += [os.path.join(path, name) for name in names]


def _is_folder(path: str) -> bool:
    hidden = os.path.basename(path).startswith(".")
    return not hidden and os.path.isdir(path) and not os.path.islink(path)
