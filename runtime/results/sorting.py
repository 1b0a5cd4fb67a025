"""Images into a folder for each class: `--sort copy|move|link|plan --sort-dir DIR`."""

import hashlib
import os
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgeclf.runtime.errors import ImageError, OptionError, OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.file_names import NAME_BYTES, numbered_names, path_of, path_parts, shortened
from edgeclf.runtime.results.row import NO_LABEL, Row
from edgeclf.runtime.results.sort_mode import SortMode
from edgeclf.runtime.results.sorted_file import SortedFile
from edgeclf.runtime.storage.atomic_write import write_advice

_NOT_IN_NAMES = frozenset('%/\\:*?"<>|')
"""The percent sign marks what `folder_name` escapes; some file systems, such as an SD card's, refuse the others."""
_FILE_OPS = {"copy": file_ops.copy_file, "move": file_ops.move_file, "link": file_ops.link_file}


class Sorter:
    """Chooses a destination for each image, and brings the image there. The mode `plan` only chooses.

    vanished: images that were missing or changed before they could be sorted.
    """

    def __init__(self, mode: SortMode, folder: Path) -> None:
        self.mode = mode
        self.folder = folder
        self.vanished = 0
        self._reserved: set[int] = set()  # hashes: 800,000 of them take 60 MB, the paths would take 150 MB

    def destination(self, frame: Frame, row: Row) -> str:
        """`DIR/LABEL/PATH`, `DIR/unsure/PATH` or `DIR/unknown/PATH`; empty for a failure, whose image stays where it is.

        A path that exists or is reserved gets a number: `a (2).jpg`. A copy of this very image, or a link to it, is no
        obstacle: it comes from an earlier run that was killed. Raises OptionError for what cannot be moved or linked.
        """
        if row.status == "error":
            return ""
        self._check_is_file(frame)
        label = row.status if row.status in NO_LABEL else folder_name(row.label)
        *folders, name = path_parts(frame)
        folder = os.path.join(self.folder, label, *folders)
        for candidate in numbered_names(name):
            path = os.path.join(folder, candidate)
            if hash(path) not in self._reserved and (not os.path.lexists(path) or self._is_done(frame, path)):
                break
        self._reserved.add(hash(path))
        return path

    def reserve(self, destination: str) -> None:
        """Never choose this path again. Only needed for `plan`: what an earlier run has planned is not on the disk."""
        self._reserved.add(hash(destination))

    def journal_fields(self, frame: Frame, destination: str) -> dict[str, Any] | None:
        """What the journal must say before `perform` does it, so that it can be undone; None if nothing is to be done."""
        if self.mode == "plan" or not destination:
            return None
        source, target = os.path.abspath(path_of(frame) or frame.name), os.path.abspath(destination)
        return SortedFile(
            action=self.mode,
            source=source,
            target=target,
            size_bytes=frame.size_bytes,
            mtime_ns=frame.mtime_ns,
            new_folders=_missing_parents(target),
        ).to_json()

    def perform(self, frame: Frame, destination: str) -> None:
        """Bring the image to its destination. After a kill, a second call completes the first.

        An image that is missing or has changed is counted in `vanished` and does not end the run. Raises OutputError if the
        disk is full, or if something else is at the destination by then; the image stays where it was.
        """
        if self.mode == "plan" or not destination:
            return
        self._check_is_file(frame)
        path = path_of(frame)
        try:
            if path is None:
                file_ops.copy_bytes(_bytes_of(frame), frame.name, destination)
                return
            if _is_unchanged(path, frame):
                _FILE_OPS[self.mode](path, destination)
                return
        except ImageError:
            pass
        except OSError as error:
            if path is None or os.path.isfile(path):
                raise _cannot_sort(frame, destination, error) from None
        self.vanished += not os.path.lexists(destination)

    def _check_is_file(self, frame: Frame) -> None:
        if self.mode in ("move", "link") and path_of(frame) is None:
            raise OptionError(f"{frame.name} is not a file of its own, so --sort {self.mode} is impossible; use --sort copy")

    def _is_done(self, frame: Frame, destination: str) -> bool:
        """Whether an earlier run put the image there.

        An image that was moved does not come up again. A hard link to it must not be mistaken for it, and then be removed.
        """
        path = path_of(frame)
        try:
            if path is None:
                return self.mode == "copy" and file_ops.holds(destination, _bytes_of(frame))
            is_in_place = file_ops.is_same_entry(path, destination)
            if self.mode == "copy":
                return not is_in_place and file_ops.is_copy(path, destination)
            return file_ops.is_link_to(path, destination) if self.mode == "link" else is_in_place
        except (OSError, ImageError):
            return False


def check_folders(roots: Iterable[str], folder: Path, classes: Iterable[str] = ()) -> None:
    """Raise OptionError if images would be sorted into a folder that is being read, and so be found again.

    That is the case if `folder` lies in a root, or if a root is one of the class folders that sorting fills.
    """
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise OptionError(f"--sort-dir {folder} is not a folder; name an existing folder, or one to create")
    filled = {folder_name(label) for label in classes} | {*NO_LABEL}
    for root in roots:
        source = Path(os.path.realpath(root))
        if target.is_relative_to(source):
            why = f"lies in the source {root}"
        elif source.is_relative_to(target) and source.relative_to(target).parts[0] in filled:
            why = f"would sort images from {root} into {root}"
        else:
            continue
        raise OptionError(f"--sort-dir {folder} {why}, so sorted images would be found again; choose another folder")


@cache
def folder_name(label: str) -> str:
    """A folder name for a class: unique, never hidden, never leading elsewhere.

    >>> folder_name("tabby cat"), folder_name("and/or"), folder_name(".."), folder_name("unsure"), folder_name("")
    ('tabby cat', 'and%2For', '%2E.', '%75nsure', '%')
    """
    escaped = "".join(c if c.isprintable() and c not in _NOT_IN_NAMES else _percent(c) for c in label) or "%"
    if escaped.startswith(".") or escaped.casefold() in NO_LABEL:
        escaped = _percent(escaped[0]) + escaped[1:]
    if len(os.fsencode(escaped)) <= NAME_BYTES:
        return escaped
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()
    return shortened(escaped, "%" + digest[:16])


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _is_unchanged(path: str, frame: Frame) -> bool:
    """Whether the file that was classified is still there, and no other file has taken its name."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    classified = (frame.size_bytes, frame.mtime_ns)
    return stat.S_ISREG(status.st_mode) and classified in ((-1, -1), (status.st_size, status.st_mtime_ns))


def _bytes_of(frame: Frame) -> bytes:
    """The content of a frame's file. Raises ImageError, or OptionError for pixels that come from no file."""
    if isinstance(frame.image, np.ndarray):
        raise OptionError(f"{frame.name} is not a file, so it cannot be sorted; leave out --sort")
    return read_bytes(frame.image)


def _missing_parents(path: str) -> int:
    """How many of the folders that contain `path` do not exist, counted from the innermost."""
    missing = 0
    while not os.path.lexists(path := os.path.dirname(path)):
        missing += 1
    return missing


def _cannot_sort(frame: Frame, destination: str, error: OSError) -> OutputError:
    if isinstance(error, FileExistsError):
        cause = "something else is there now; move it away, and run the command again"
    else:
        cure = write_advice(error, Path(destination).parent)
        cause = f"{error.strerror or error}; {cure}, and run the command again"
    return OutputError(f"cannot sort {frame.name} to {destination}: {cause}")
