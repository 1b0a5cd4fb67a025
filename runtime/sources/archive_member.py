"""The members of zip and tar files: what is known of each, and how its image is read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import BinaryIO

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.preprocess import ImageLike
from edgeclf.runtime.sources.folders import is_image, is_passed_over
from edgeclf.runtime.sources.source_part import require_file
from edgeclf.runtime.sources.unreadable import image_error, require_size

MAX_RATIO = 200
"""An archive may unpack to this many times its own size, once that is more than RATIO_BYTES. For images it is close to 1."""
RATIO_BYTES = 100 << 20


class MemberKind(Enum):
    """SPECIAL: links, devices and sparse files, none of which is read."""

    FILE = auto()
    FOLDER = auto()
    SPECIAL = auto()


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive.

    image: its content; None if the member is skipped because it is not wanted, usually because it is no image. size_bytes:
    as the archive declares it. version: tells one version of the file from the next, as `Frame.mtime_ns` does.
    """

    name: str
    image: ImageLike | None = None
    size_bytes: int = -1
    version: int = -1
    kind: MemberKind = MemberKind.FILE


def is_image_member(name: str) -> bool:
    """Whether a member is an image by its name. Hidden files, hidden folders and SYSTEM_FOLDERS are skipped."""
    *folders, file_name = name.split("/")
    return is_image(file_name) and not any(is_passed_over(folder) for folder in folders if folder not in (".", ".."))


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An archive as it was when the run began. It is opened again for each image, so any thread may read from it."""

    path: str
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str) -> "ArchiveFile":
        """Raises SourceError if the path is not a regular file."""
        status = require_file(path, "an archive")
        return cls(path, status.st_size, status.st_mtime_ns)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file, opened for reading. Raises ImageError, also if another archive has taken its place."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
                    raise ImageError(Reason.UNREADABLE, "the archive was changed during the run")
                yield file
        except OSError as error:
            raise image_error(error) from None

    def require_ratio(self, unpacked_bytes: int) -> None:
        """Raise ImageError `too_large` if it unpacks to far more than a sound archive does."""
        if unpacked_bytes > max(RATIO_BYTES, self.size_bytes * MAX_RATIO):
            packed = f"{MAX_RATIO} times its {self.size_bytes:,} bytes"
            raise ImageError(Reason.TOO_LARGE, f"it unpacks to more than {packed}, as no sound archive does")


@dataclass(frozen=True, slots=True)
class TarMember:
    """An image inside an uncompressed tar file: `size_bytes` bytes from `offset` on."""

    archive: ArchiveFile
    offset: int
    size_bytes: int

    def read(self) -> bytes:
        require_size(self.size_bytes)
        with self.archive.open() as file:
            file.seek(self.offset)
            data = file.read(self.size_bytes)
        if len(data) < self.size_bytes:
            raise ImageError(Reason.TRUNCATED, "the archive ends in the middle of it")
        return data
