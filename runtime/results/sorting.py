"""Images into a folder for each class: `--sort copy|move|link|plan --sort-dir DIR`."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np

from edgeclf.runtime.errors import ImageError, OptionError, OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import contents
from edgeclf.runtime.results import file_ops as filing
from edgeclf.runtime.results.row import UNSURE, Row
from edgeclf.runtime.results.sorted_file import SortedFile

How = Literal["copy", "move", "link", "plan"]

_NAME_BYTES = 255
"""The longest name of a file on every file system in use."""
_EXTENSION = 20
"""What is longer is none."""
_NOT_IN_NAMES = frozenset('%/\\:*?"<>|')
"""The percent sign for what `folder_name` spells; the others are refused by some file system, such as an SD card's."""
_FILING = {"copy": filing.copy_file, "move": filing.move_file, "link": filing.link_file}


class Sorter:
    """Says where an image goes, and brings it there. vanished: images that were gone or changed before they were sorted.

    `plan` only says where.
    """

    def __init__(self, how: How, folder: Path) -> None:
        self.how = how
        self.folder = folder
        self.vanished = 0
        self._given: set[int] = set()  # hashes: 800,000 of them are 60 MB, the paths would be 150

    def destination(self, frame: Frame, row: Row) -> str:
        """`DIR/LABEL/PATH`, or `DIR/unsure/PATH`; nothing for a row without an answer, whose image stays where it is.

        What is there already, or was given out before, is avoided: `a (2).jpg`. A copy of this very image, or a link to
        it, is no obstacle: an earlier run was killed. Raises OptionError for what cannot be moved or linked.
        """
        if row.status == "error":
            return ""
        self._check(frame)
        label = UNSURE if row.status == UNSURE else folder_name(row.label)
        folder = os.path.join(self.folder, label, *_parts(frame)[:-1])
        for name in _names(_parts(frame)[-1]):
            path = os.path.join(folder, name)
            if hash(path) not in self._given and (not os.path.lexists(path) or self._is_done(frame, path)):
                break
        self._given.add(hash(path))
        return path

    def remember(self, destination: str) -> None:
        """One that an earlier run has given out. Only a `plan` needs to be told: its images are not there to be seen."""
        self._given.add(hash(destination))

    def record(self, frame: Frame, destination: str) -> dict[str, Any] | None:
        """What the journal says of it, before `perform` does it, so that it can be undone; None where nothing is done."""
        if self.how == "plan" or not destination:
            return None
        source, target = os.path.abspath(_path_of(frame) or frame.name), os.path.abspath(destination)
        made = _missing_parents(target)
        return SortedFile(self.how, source, target, frame.size_bytes, frame.mtime_ns, made).to_json()

    def perform(self, frame: Frame, destination: str) -> None:
        """Bring the image to its destination. After a kill, calling it again completes what was begun.

        An image that is gone by now, or another one, is counted in `vanished`, and a night's run goes on. Raises
        OutputError where the disk is full, or something else is at the destination by now; then the image stays where
        it was.
        """
        if self.how == "plan" or not destination:
            return
        self._check(frame)
        path = _path_of(frame)
        try:
            if path is None:
                filing.copy_bytes(_bytes_of(frame), frame.name, destination)
                return
            if _is_what_was_classified(path, frame):
                _FILING[self.how](path, destination)
                return
        except ImageError:
            pass
        except OSError as error:
            if path is None or os.path.isfile(path):
                raise _cannot_sort(frame, destination, error) from None
        self.vanished += not os.path.lexists(destination)

    def _check(self, frame: Frame) -> None:
        if self.how in ("move", "link") and _path_of(frame) is None:
            raise OptionError(f"{frame.name} is no file of its own, so --sort {self.how} cannot be done; use --sort copy")

    def _is_done(self, frame: Frame, destination: str) -> bool:
        """Whether an earlier run put the image there.

        One that was moved is not seen again; a hard link to it must not be taken for it, and then be unlinked.
        """
        path = _path_of(frame)
        try:
            if path is None:
                return self.how == "copy" and filing.holds(destination, _bytes_of(frame))
            in_place = filing.is_same_entry(path, destination)
            if self.how == "copy":
                return not in_place and filing.is_copy(path, destination)
            return filing.is_link_to(path, destination) if self.how == "link" else in_place
        except (OSError, ImageError):
            return False


def check_folders(roots: Iterable[str], folder: Path, classes: Iterable[str] = ()) -> None:
    """Raise OptionError where images would be sorted into a folder that is being read, and so be found again.

    That is when `folder` lies in a root, or when a root is one of the folders that sorting fills, as far as `classes` says.
    """
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise OptionError(f"--sort-dir {folder} is no folder; name one that is, or one that is to be made")
    filled = {folder_name(label) for label in classes} | {UNSURE}
    for root in roots:
        source = Path(os.path.realpath(root))
        if target.is_relative_to(source):
            why = f"lies in {root}, which is read"
        elif source.is_relative_to(target) and source.relative_to(target).parts[0] in filled:
            why = f"would have images from {root} sorted into {root}"
        else:
            continue
        raise OptionError(f"--sort-dir {folder} {why}, and so they would be found again; choose another folder")


@cache
def folder_name(label: str) -> str:
    """The name of a class as that of a folder: another for every class, none hidden, none that leads elsewhere.

    >>> folder_name("tabby cat"), folder_name("and/or"), folder_name(".."), folder_name("unsure"), folder_name("")
    ('tabby cat', 'and%2For', '%2E.', '%75nsure', '%')
    """
    spelt = "".join(c if c.isprintable() and c not in _NOT_IN_NAMES else _percent(c) for c in label) or "%"
    if spelt.startswith(".") or spelt.casefold() == UNSURE:
        spelt = _percent(spelt[0]) + spelt[1:]
    if len(os.fsencode(spelt)) <= _NAME_BYTES:
        return spelt
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()
    return _shortened(spelt, "%" + digest[:16])


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _parts(frame: Frame) -> list[str]:
    """The image's place in its source, as one below a folder: nothing in it leads up or to the root."""
    path = PurePath(frame.path or frame.name)
    parts = [part.replace("\0", "%00") for part in path.parts if part not in (path.anchor, "..")]
    return [next(_names(part)) for part in parts] or ["image"]


def _names(name: str) -> Iterator[str]:
    """`a.jpg`, `a (2).jpg`, `a (3).jpg`, ..."""
    stem, extension = os.path.splitext(name)
    if len(extension) > _EXTENSION:
        stem, extension = name, ""
    yield _shortened(stem, extension)
    for number in count(2):
        yield _shortened(stem, f" ({number}){extension}")


def _shortened(text: str, end: str) -> str:
    """Text and end together, the text cut where that would be too long for a name."""
    while len(os.fsencode(text + end)) > _NAME_BYTES:
        text = text[:-1]
    return text + end


def _path_of(frame: Frame) -> str | None:
    """The frame's file; None for one in an archive, or of a video."""
    image = frame.image
    return os.fspath(image) if isinstance(image, str | os.PathLike) else None


def _is_what_was_classified(path: str, frame: Frame) -> bool:
    """Whether the file is still there, and none that has taken its name since."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    known = (frame.size_bytes, frame.mtime_ns)
    return stat.S_ISREG(status.st_mode) and known in ((-1, -1), (status.st_size, status.st_mtime_ns))


def _bytes_of(frame: Frame) -> bytes:
    """The content of a frame's file. Raises ImageError, or OptionError for pixels that are no file at all."""
    if isinstance(frame.image, np.ndarray):
        raise OptionError(f"{frame.name} is no file, so it cannot be sorted; leave out --sort")
    return contents(frame.image)


def _missing_parents(path: str) -> int:
    """How many of the folders that `path` lies in are not there, counted from the innermost."""
    missing = 0
    while not os.path.lexists(path := os.path.dirname(path)):
        missing += 1
    return missing


def _cannot_sort(frame: Frame, destination: str, error: OSError) -> OutputError:
    if isinstance(error, FileExistsError):
        cure = "something else is there by now; move that away, and repeat the command"
    else:
        cure = f"{error.strerror or error}; free some space or mend it, and repeat the command"
    return OutputError(f"cannot sort {frame.name} to {destination}: {cure}")
