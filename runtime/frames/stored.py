"""A picture inside an archive: where it is, and what is said of one that cannot be read."""

import lzma
import os
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from edgeclf.runtime.errors import PictureError, Reason, first_line
from edgeclf.runtime.frames.decode import MAX_BYTES
from edgeclf.runtime.frames.folders import is_picture
from edgeclf.runtime.frames.part import require_file
from edgeclf.runtime.frames.preprocess import Picture

DAMAGE: tuple[type[Exception], ...] = (PictureError, OSError, EOFError, struct.error, zlib.error)
DAMAGE += (lzma.LZMAError, tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError)
"""All that is raised over an archive that is damaged, or made to be, here and in the standard library."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. picture: None for what is passed over. version: stands for its time, as in `Frame.mtime_ns`."""

    name: str
    picture: Picture | None = None
    size_bytes: int = -1
    version: int = -1


def is_wanted(name: str) -> bool:
    """Whether a member is a picture by its name; hidden ones, in hidden folders or in macOS's own one, are none."""
    folders = [part for part in name.split("/") if part not in (".", "..")]
    return is_picture(name.rpartition("/")[2]) and not any(part.startswith(".") or part == "__MACOSX" for part in folders)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An archive as it was when it was opened. It is opened anew for each picture, so any thread may read from it."""

    path: str
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str) -> "ArchiveFile":
        """Raises SourceError for what is no regular file."""
        status = require_file(path, "an archive")
        return cls(path, status.st_size, status.st_mtime_ns)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, for reading. Raises PictureError, too where another archive has taken its place."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
                    raise PictureError(Reason.UNREADABLE, "the archive was changed during the run")
                yield file
        except OSError as error:
            raise picture_error(error) from None


@dataclass(frozen=True, slots=True)
class Slice:
    """A picture that lies unpacked in an archive."""

    archive: ArchiveFile
    offset: int
    size_bytes: int

    def read(self) -> bytes:
        require_size(self.size_bytes)
        with self.archive.opened() as file:
            file.seek(self.offset)
            data = file.read(self.size_bytes)
        if len(data) < self.size_bytes:
            raise PictureError(Reason.TRUNCATED, "the archive ends before it does")
        return data


@dataclass(frozen=True, slots=True)
class Broken:
    """A picture that cannot be read, as is known already: reading it raises `error`."""

    error: PictureError

    def read(self) -> bytes:
        raise self.error


def require_size(size_bytes: int, limit: int = MAX_BYTES) -> None:
    """Raise PictureError `too_large` before a member that declares so much is read."""
    if size_bytes > limit:
        raise PictureError(Reason.TOO_LARGE, f"{size_bytes:,} bytes; the limit is {limit:,}")


def picture_error(error: BaseException) -> PictureError:
    """One of DAMAGE as a reason from the closed list."""
    if isinstance(error, PictureError):
        return error
    number = getattr(error, "errno", None)
    reason = Reason.CORRUPT
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = Reason.NOT_FOUND
    elif number is not None:
        reason = Reason.UNREADABLE
    elif isinstance(error, EOFError) or "unexpected end of data" in str(error):  # the second are tarfile's words
        reason = Reason.TRUNCATED
    failure = PictureError(reason, getattr(error, "strerror", None) or first_line(error))
    failure.errno = number
    return failure
