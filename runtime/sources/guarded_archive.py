"""Writes the files of an untrusted archive to a folder: none outside it, and none without limit.

The readers read the archive. This module adds the checks that only matter when files are written.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.errors import EdgeclfError, ImageError, OutputError, Reason, SourceError
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, MemberKind, is_image_member
from edgeclf.runtime.sources.archives import archive_members
from edgeclf.runtime.sources.unreadable import DAMAGE_ERRORS, image_error
from edgeclf.runtime.sources.zip_reader import ZipMember
from edgeclf.runtime.storage.atomic_write import cannot_write

_DRIVE = re.compile("[A-Za-z]:")


@dataclass(frozen=True)
class Limits:
    """members: of all kinds. total_bytes: of all wanted files, unpacked. file_bytes: of one from a compressed tar."""

    members: int
    total_bytes: int
    file_bytes: int


class GuardedArchive:
    """Checks every member before it is written, and the size that all of them declare together.

    The whole archive is refused if one member is damaged, leads outside the folder, is a link, a device or a sparse file.
    wanted: whether a file of this name is unpacked. error: the exception for an archive that is refused.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits,
        free_bytes: int,
        error: type[EdgeclfError],
        wanted: Callable[[str], bool] = is_image_member,
    ) -> None:
        self.path = path
        self.skipped = 0
        self._limits, self._free_bytes, self._error, self._wanted = limits, free_bytes, error, wanted
        self._members = 0
        self._declared_bytes = 0
        with self._errors():
            self.file = ArchiveFile.of(str(path))

    def files(self) -> Iterator[Member]:
        """The files that may be written. Raises the error, or OutputError if the disk is too small."""
        with self._errors():
            for member in archive_members(self.file, self._limits.file_bytes, self._wanted):
                if self._is_wanted(member):
                    yield member

    def write(self, member: Member, folder: Path) -> None:
        """Write one of the files below the folder. Raises the error, or OutputError."""
        path = folder.joinpath(*_split(member.name))
        try:
            if isinstance(member.image, ZipMember):  # the name may hold a label, and no checksum covers it
                member.image.require_same_name()
            data = read_bytes(member.image)  # type: ignore[arg-type]
        except ImageError as error:
            raise self._refusal(member.name, f"cannot be read ({error.detail})") from None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as file:
                file.write(data)
        except (FileExistsError, NotADirectoryError):
            raise self._refusal(member.name, "occurs twice, or as a file and as a folder") from None
        except OSError as error:
            raise cannot_write(path, error) from None

    def _is_wanted(self, member: Member) -> bool:
        self._members += 1
        if self._members > self._limits.members:
            raise self._error(f"{self.path} has more than {self._limits.members:,} members; unpack it yourself")
        self._check_name(member.name)
        if member.kind is MemberKind.SPECIAL:
            raise self._refusal(member.name, "is a link, a device or a sparse file")
        if member.image is None:
            self.skipped += member.kind is MemberKind.FILE
            return False
        self._declare(member.size_bytes)
        return True

    def _check_name(self, name: str) -> None:
        names = _split(name)
        if name.startswith("/") or ".." in names or "\0" in name or any(map(_DRIVE.match, names)):
            raise self._refusal(name, "leads outside its folder")
        if "\\" in name and (os.sep == "\\" or self.path.suffix.lower() == ".zip"):
            raise self._refusal(name, "has a backslash in its name")

    def _declare(self, size_bytes: int) -> None:
        self._declared_bytes += size_bytes
        if self._declared_bytes > self._limits.total_bytes:
            raise self._error(f"{self.path} unpacks to more than {self._limits.total_bytes:,} bytes; unpack it yourself")
        self.file.require_ratio(self._declared_bytes)
        if self._declared_bytes > self._free_bytes:
            free = f"the {self._free_bytes:,} bytes that are free for it"
            raise OutputError(f"{self.path} unpacks to more than {free}; unpack it on another disk, and name the folder")

    def _refusal(self, name: str, why: str) -> EdgeclfError:
        """The error for a member that makes the whole archive unacceptable."""
        return self._error(f"{self.path}: the member {name!r} {why}; unpack it yourself if you trust it")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the readers raise for a damaged archive into the error."""
        try:
            yield
        except SourceError as error:
            raise self._error(f"cannot unpack {self.path}: {error}") from None
        except DAMAGE_ERRORS as error:
            failure = image_error(error)
            is_bomb = failure.reason is Reason.TOO_LARGE
            cure = "unpack it yourself if you trust it" if is_bomb else "download or pack it again"
            raise self._error(f"{self.path} cannot be unpacked ({failure.detail}); {cure}") from None


def _split(name: str) -> list[str]:
    """The folders and the file name of a member, without empty ones and `.`."""
    return [part for part in name.split("/") if part not in ("", ".")]
