"""An image inside an archive: where it is, and what is said of one that cannot be read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.preprocess import ImageLike
from edgeclf.runtime.sources.folders import is_image
from edgeclf.runtime.sources.source_part import require_file
from edgeclf.runtime.sources.unreadable import image_error, require_size


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. image: None for what is passed over. version: stands for its time, as in `Frame.mtime_ns`."""

    name: str
    image: ImageLike | None = None
    size_bytes: int = -1
    version: int = -1


def is_wanted(name: str) -> bool:
    """Whether a member is an image by its name; hidden ones, in hidden folders or in macOS's own one, are none."""
    folders = [part for part in name.split("/") if part not in (".", "..")]
    return is_image(name.rpartition("/")[2]) and not any(part.startswith(".") or part == "__MACOSX" for part in folders)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An archive as it was when it was opened. It is opened anew for each image, so any thread may read from it."""

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
        """The file, for reading. Raises ImageError, too where another archive has taken its place."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
                    raise ImageError(Reason.UNREADABLE, "the archive was changed during the run")
                yield file
        except OSError as error:
            raise image_error(error) from None


@dataclass(frozen=True, slots=True)
class Slice:
    """An image that lies unpacked in an archive."""

    archive: ArchiveFile
    offset: int
    size_bytes: int

    def read(self) -> bytes:
        require_size(self.size_bytes)
        with self.archive.opened() as file:
            file.seek(self.offset)
            data = file.read(self.size_bytes)
        if len(data) < self.size_bytes:
            raise ImageError(Reason.TRUNCATED, "the archive ends before it does")
        return data
