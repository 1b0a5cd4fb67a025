"""What all kinds of sources share: each stands for one name on the command line and yields frames."""

import os
import stat
from collections.abc import Iterator
from typing import Protocol

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.spelling import near


class SourcePart(Protocol):
    """The images behind one of the names that a run was given.

    prefix: what goes before a frame's path to make its name. roots: folders and archives that must stay reachable during
    the run. folders: folders that are searched recursively. skipped: files skipped so far because they are not images.
    empty_message: the error message if there is no image at all, with what to do about it.
    """

    prefix: str
    roots: tuple[str, ...]
    folders: tuple[str, ...]
    skipped: int
    empty_message: str

    def frames(self, source: int) -> Iterator[Frame | None]:
        """The frames in a fixed order; None means that nothing more is available yet. source: see Frame."""
        ...

    def count(self) -> int | None:
        """The number of frames; None if it is unknown or too expensive to find out."""
        ...


def file_frame(prefix: str, path: str, source: int) -> Frame:
    """The frame of a file, with the file's current size and time. The file is not opened."""
    name = prefix + path
    try:
        status = os.stat(name)
    except (OSError, ValueError):  # ValueError: a NUL character in the name
        return Frame(name, name, path, source)
    return Frame(name, name, path, source, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def require_file(path: str, contents: str) -> os.stat_result:
    """The status of a regular file. Raises SourceError. A pipe is not opened, so this never blocks.

    contents: what the file should hold, for the error message.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(
            f"{path!r} is not a regular file; name a file that holds {contents}, or pipe paths into --source -"
        )
    return status


def cannot_read(path: str, error: OSError | ValueError) -> SourceError:
    """The error for a list or an archive that cannot be read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceError(f"{path!r} does not exist; {near(path) or 'check the spelling, or list its folder with ls'}")
    reason = getattr(error, "strerror", None) or str(error)
    return SourceError(f"{path!r} cannot be read: {reason}; check its permissions and its disk")
