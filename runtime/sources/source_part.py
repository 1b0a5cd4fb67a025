"""What every kind of source has in common: it is one name of a run, and gives frames."""

import os
import stat
from collections.abc import Iterator
from typing import Protocol

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame


class Part(Protocol):
    """What one of a run's names stands for.

    prefix: what stands before a frame's path in its name. roots: folders or archives that must be reachable for it to go
    on. folders: those that are searched in depth. skipped: files passed over so far because they are no images. empty: the
    sentence for none at all, and its cure.
    """

    prefix: str
    roots: tuple[str, ...]
    folders: tuple[str, ...]
    skipped: int
    empty: str

    def frames(self, source: int) -> Iterator[Frame | None]:
        """Its frames in a fixed order; None where there is nothing more for now. source: as in Frame."""
        ...

    def count(self) -> int | None:
        """How many frames there will be, or None where that would cost too much or cannot be known."""
        ...


def file_frame(prefix: str, path: str, source: int) -> Frame:
    """The frame of a file, with its size and time as they are now; it is not opened."""
    name = prefix + path
    try:
        status = os.stat(name)
    except (OSError, ValueError):  # ValueError: a NUL character in the name
        return Frame(name, name, path, source)
    return Frame(name, name, path, source, status.st_size, status.st_mtime_ns)


def require_file(path: str, what: str) -> os.stat_result:
    """The status of a regular file that holds `what`. Raises SourceError; a pipe is not opened, so nothing blocks."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path!r} is no regular file; name a file that holds {what}, or pipe paths into --source -")
    return status


def cannot_read(path: str, error: OSError | ValueError) -> SourceError:
    """The sentence for a list or an archive that cannot be read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceError(f"{path!r} does not exist; check the spelling, or its folder with ls")
    reason = getattr(error, "strerror", None) or str(error)
    return SourceError(f"{path!r} cannot be read: {reason}; check its rights, and the disk that it is on")
