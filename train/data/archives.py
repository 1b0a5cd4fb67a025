"""Unpacks the images of an untrusted archive: no member is written outside its folder or grows without limit.

The runtime's readers read the archive. This module adds the checks that only matter when files are written.
"""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeclf.runtime.errors import DatasetError, ImageError, OutputError, Reason, SourceError
from edgeclf.runtime.images.decode import MAX_BYTES as MAX_IMAGE_BYTES
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, MemberKind
from edgeclf.runtime.sources.archives import archive_members, has_directory, is_archive
from edgeclf.runtime.sources.folders import READ_EXTENSIONS
from edgeclf.runtime.sources.unreadable import DAMAGE_ERRORS, image_error
from edgeclf.runtime.sources.zip_reader import ZipMember
from edgeclf.runtime.storage.atomic_write import cannot_write, make_folder
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress

MAX_BYTES = 64 << 30
"""Maximum size of all images of an archive together, unpacked."""
MAX_MEMBERS = 10_000_000

_DRIVE = re.compile("[A-Za-z]:")


@contextmanager
def unpacked(data: Path) -> Iterator[Path]:
    """`data` itself, or the images of an archive in a folder of the same name, which is removed when the block ends."""
    if not is_archive(data):
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder:
        yield unpack(data, Path(folder) / data.name)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the images in `archive` into `folder`, which appears under its name only when it is complete.

    A folder that already exists is used unchanged. Hidden files, and files that are not images by their extension, are
    skipped. The whole archive is refused if one member is damaged, leads outside the folder, is a link, a device or a sparse
    file, or is larger than an image may be (1 GiB). Raises DatasetError or OutputError, and then leaves nothing behind.
    """
    if folder.is_dir():
        note(f"{folder} already exists and is used as it is; to unpack {archive} again, remove it")
        return folder
    temporary = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    make_folder(temporary)
    try:
        guard = _Guard(archive, shutil.disk_usage(temporary).free)
        written = _write_images(guard, temporary)
        if not written:
            extensions = " ".join(sorted(READ_EXTENSIONS))
            raise DatasetError(f"{archive} holds no images (looked for {extensions}); choose another archive")
        skipped = f"; {plural(guard.skipped, 'other file')} skipped" if guard.skipped else ""
        note(f"{archive}: {plural(written, 'image')} unpacked into {folder}{skipped}")
        _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


class _Guard:
    """Checks every member before it is written, and the size that all of them declare together."""

    def __init__(self, archive: Path, free_bytes: int) -> None:
        self.archive = archive
        self.free_bytes = free_bytes
        with _dataset_errors(archive):
            self.file = ArchiveFile.of(str(archive))
        self.members = 0
        self.skipped = 0
        self.declared_bytes = 0

    def images(self) -> Iterator[Member]:
        """The images that may be written. Raises DatasetError or OutputError."""
        with _dataset_errors(self.archive):
            for member in archive_members(self.file, MAX_IMAGE_BYTES):
                if self._is_image(member):
                    yield member

    def _is_image(self, member: Member) -> bool:
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise DatasetError(f"{self.archive} has more than {MAX_MEMBERS:,} members; unpack it yourself")
        self._check_name(member.name)
        if member.kind is MemberKind.SPECIAL:
            raise self.refusal(member.name, "is a link, a device or a sparse file")
        if member.image is None:
            self.skipped += member.kind is MemberKind.FILE
            return False
        self._declare(member.size_bytes)
        return True

    def _check_name(self, name: str) -> None:
        names = _split(name)
        if name.startswith("/") or ".." in names or "\0" in name or any(map(_DRIVE.match, names)):
            raise self.refusal(name, "leads outside its folder")
        if "\\" in name and (os.sep == "\\" or self.archive.suffix.lower() == ".zip"):
            raise self.refusal(name, "has a backslash in its name")

    def _declare(self, size_bytes: int) -> None:
        self.declared_bytes += size_bytes
        if self.declared_bytes > MAX_BYTES:
            raise DatasetError(f"{self.archive} unpacks to more than {MAX_BYTES:,} bytes; unpack it yourself")
        self.file.require_ratio(self.declared_bytes)
        if self.declared_bytes > self.free_bytes:
            raise OutputError(
                f"{self.archive} unpacks to more than the {self.free_bytes:,} bytes that are free; free some space"
            )

    def refusal(self, name: str, why: str) -> DatasetError:
        """The error for a member that makes the whole archive unacceptable."""
        return DatasetError(f"{self.archive}: the member {name!r} {why}; unpack it yourself if you trust it")


def _write_images(guard: _Guard, folder: Path) -> int:
    """The number of images written below `folder`."""
    written = 0
    with Progress(f"unpacking {guard.archive.name}") as progress:
        if has_directory(guard.file):  # checked as a whole before anything is unpacked
            progress.total = sum(1 for _ in _Guard(guard.archive, guard.free_bytes).images())
        for member in guard.images():
            _write(guard, member, folder)
            written += 1
            progress.advance()
    return written


def _write(guard: _Guard, member: Member, folder: Path) -> None:
    path = folder.joinpath(*_split(member.name))
    try:
        if isinstance(member.image, ZipMember):  # the name holds the label, and no checksum covers it
            member.image.require_same_name()
        data = read_bytes(member.image)  # type: ignore[arg-type]
    except ImageError as error:
        raise guard.refusal(member.name, f"cannot be read ({error.detail})") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)
    except (FileExistsError, NotADirectoryError):
        raise guard.refusal(member.name, "occurs twice, or as a file and as a folder") from None
    except OSError as error:
        raise cannot_write(path, error) from None


def _split(name: str) -> list[str]:
    """The folders and the file name of a member, without empty ones and `.`."""
    return [part for part in name.split("/") if part not in ("", ".")]


@contextmanager
def _dataset_errors(archive: Path) -> Iterator[None]:
    """Turn what the readers raise for a damaged archive into a DatasetError."""
    try:
        yield
    except SourceError as error:
        raise DatasetError(f"cannot unpack {archive}: {error}") from None
    except DAMAGE_ERRORS as error:
        failure = image_error(error)
        is_bomb = failure.reason is Reason.TOO_LARGE
        cure = "unpack it yourself if you trust it" if is_bomb else "download or pack it again"
        raise DatasetError(f"{archive} cannot be unpacked ({failure.detail}); {cure}") from None


def _publish(temporary: Path, folder: Path) -> None:
    try:
        os.rename(temporary, folder)
    except OSError as error:
        if not folder.is_dir():  # otherwise another process has just unpacked the same images
            raise cannot_write(folder, error) from None
