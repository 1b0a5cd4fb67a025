"""The images in an archive that nobody has to trust: no member leads outside its folder, none grows without end."""

import os
import re
import secrets
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.errors import DatasetError, OutputError, first_line
from edgeclf.runtime.sources.archive_member import is_wanted
from edgeclf.runtime.sources.archives import is_archive
from edgeclf.runtime.sources.folders import IMAGE_EXTENSIONS
from edgeclf.runtime.sources.tar_reader import UNPACKERS, Metered, Readable, StrictHeader
from edgeclf.runtime.sources.unreadable import DAMAGE
from edgeclf.runtime.sources.zip_reader import UTF8_NAME, zip_name
from edgeclf.runtime.storage.atomic_write import cannot_write, make_folder
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress

MAX_BYTES = 64 << 30
"""What an archive may unpack to, in all."""
MAX_RATIO = 200
"""What it may unpack to for each of its own bytes, once that is more than RATIO_BYTES; for images it is close to 1."""
RATIO_BYTES = 100 << 20
MAX_MEMBERS = 10_000_000

_CHUNK_BYTES = 1 << 20
_DRIVE = re.compile("[A-Za-z]:")
_ENCRYPTED = 0x1
_DAMAGE: tuple[type[Exception], ...] = (*DAMAGE, NotImplementedError, zipfile.BadZipFile)


@contextmanager
def unpacked(data: Path) -> Iterator[Path]:
    """`data` itself, or the images of an archive in a folder of the same name that is gone when the block ends."""
    if not is_archive(data):
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="edgeclf-") as folder:
        yield unpack(data, Path(folder) / data.name)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the images in `archive` into `folder`, which appears under its name only when it is complete.

    A folder that is there already is used as it is. Hidden files, and what is no image by its extension, are passed over;
    but one member that leads outside, is a link or a device, or is not what it says refuses the whole. Raises DatasetError
    or OutputError, and then leaves nothing.
    """
    if folder.is_dir():
        note(f"{folder} is there already and is used as it is; to unpack {archive} again, remove it")
        return folder
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    make_folder(part)
    try:
        guard = _Guard(archive, shutil.disk_usage(part).free)
        written = 0
        with Progress(f"unpacking {archive.name}") as progress:
            for member in (_zip_members if archive.suffix.lower() == ".zip" else _tar_members)(guard, progress):
                _write(guard, member, part)
                written += 1
                progress.advance()
        if not written:
            extensions = " ".join(sorted(IMAGE_EXTENSIONS))
            raise DatasetError(f"{archive} holds no images (looked for {extensions}); choose another archive")
        others = f"; {guard.skipped:,} other files skipped" if guard.skipped else ""
        note(f"{archive}: {written:,} images unpacked into {folder}{others}")
        _publish(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class _Member:
    """An image to be written. parts: its name below the folder; size_bytes: as its header declares."""

    name: str
    parts: list[str]
    size_bytes: int
    source: Readable


class _Guard:
    """What is asked of every member, and how much they declare together."""

    def __init__(self, archive: Path, free_bytes: int) -> None:
        self.archive = archive
        self.free_bytes = free_bytes
        self.members = 0
        self.skipped = 0
        self.declared_bytes = 0

    def parts(self, name: str, *, is_file: bool, is_folder: bool) -> list[str]:
        """Where a member belongs below the folder; nothing for what is passed over. Raises DatasetError."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise DatasetError(f"{self.archive} has more than {MAX_MEMBERS:,} members; unpack it yourself")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or any(map(_DRIVE.match, parts)):
            raise self.refused(name, "leads outside its folder")
        if not (is_file or is_folder):
            raise self.refused(name, "is a link or a device")
        if is_folder:
            return []
        if not is_wanted(name):
            self.skipped += 1
            return []
        return parts

    def declare(self, size_bytes: int) -> None:
        """Count an image before it is unpacked. Raises DatasetError or OutputError."""
        self.declared_bytes += size_bytes
        self.check_size(self.declared_bytes)
        if self.declared_bytes > self.free_bytes:
            raise OutputError(
                f"{self.archive} unpacks to more than the {self.free_bytes:,} bytes that are free; free some space"
            )

    def check_size(self, size_bytes: int) -> None:
        """Raise DatasetError when images would not unpack to so much."""
        if size_bytes > MAX_BYTES:
            raise DatasetError(f"{self.archive} unpacks to more than {MAX_BYTES:,} bytes; unpack it yourself")
        packed_bytes = self.archive.stat().st_size
        if size_bytes > max(RATIO_BYTES, packed_bytes * MAX_RATIO):
            raise DatasetError(
                f"{self.archive} unpacks to more than {MAX_RATIO} times its {packed_bytes:,} bytes, as images do not; "
                "unpack it yourself if you trust it"
            )

    def refused(self, name: str, why: str) -> DatasetError:
        """The sentence for a member that refuses the whole archive."""
        return DatasetError(f"{self.archive}: the member {name!r} {why}; unpack it yourself if you trust it")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say in one sentence whatever the libraries say of a damaged archive."""
        try:
            yield
        except _DAMAGE as error:
            raise DatasetError(
                f"{self.archive} cannot be unpacked ({first_line(error)}); download or pack it again"
            ) from None


def _zip_members(guard: _Guard, progress: Progress) -> Iterator[_Member]:
    """The images of a zip file, once all of its members have been checked."""
    with guard.reading(), zipfile.ZipFile(guard.archive) as archive:
        wanted = [(info, parts) for info in archive.infolist() if (parts := _zip_parts(guard, info))]
        progress.total = len(wanted)
        for info, parts in wanted:
            with archive.open(info) as source:
                yield _Member(_zip_name(info), parts, info.file_size, source)


def _zip_parts(guard: _Guard, info: zipfile.ZipInfo) -> list[str]:
    name = _zip_name(info)
    if "\\" in name:
        raise guard.refused(name, "has a backslash in its name")
    kind = stat.S_IFMT(info.external_attr >> 16)
    is_file = kind in (0, stat.S_IFREG) and not info.is_dir()
    parts = guard.parts(name, is_file=is_file, is_folder=info.is_dir() and kind in (0, stat.S_IFDIR))
    if parts and info.flag_bits & _ENCRYPTED:
        raise guard.refused(name, "is encrypted")
    if parts and info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile unpacks others unbounded
        raise guard.refused(name, "is packed by another method than deflate")
    if parts:
        guard.declare(info.file_size)
    return parts


def _zip_name(info: zipfile.ZipInfo) -> str:
    flagged = info.flag_bits & UTF8_NAME
    return zip_name(info.orig_filename.encode("utf-8" if flagged else "cp437"), info.flag_bits)


def _tar_members(guard: _Guard, progress: Progress) -> Iterator[_Member]:
    """The images of a tar file, each checked as it comes: a packed tar can only be read from its start to its end."""
    with guard.reading(), UNPACKERS[guard.archive.suffix.lower()](guard.archive) as stream:
        metered = Metered(stream, guard.check_size)
        with tarfile.open(fileobj=metered, mode="r|", tarinfo=StrictHeader, encoding="utf-8") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it would keep millions
                if parts := _tar_parts(guard, member):
                    source = archive.extractfile(member)
                    assert source is not None  # only so for links and the like
                    yield _Member(member.name, parts, member.size, source)
        while metered.read(_CHUNK_BYTES):  # to the end, where the check sum stands
            pass


def _tar_parts(guard: _Guard, member: tarfile.TarInfo) -> list[str]:
    if "\\" in member.name and os.sep == "\\":
        raise guard.refused(member.name, "has a backslash in its name")
    parts = guard.parts(member.name, is_file=member.isreg(), is_folder=member.isdir())
    if parts:
        guard.declare(member.size)
        if hasattr(tarfile, "data_filter"):  # the standard library's own opinion, from 3.11.4
            tarfile.data_filter(member, str(guard.archive.parent))
    return parts


def _write(guard: _Guard, member: _Member, folder: Path) -> None:
    path = folder.joinpath(*member.parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            for chunk in _chunks(guard, member):
                file.write(chunk)
    except (FileExistsError, NotADirectoryError):
        raise guard.refused(member.name, "is there twice, or as a file and as a folder") from None
    except OSError as error:
        raise cannot_write(path, error) from None


def _chunks(guard: _Guard, member: _Member) -> Iterator[bytes]:
    """The member's bytes, exactly as many as it declares."""
    left = member.size_bytes
    with guard.reading():
        while chunk := member.source.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    if left:
        raise guard.refused(member.name, "is not as long as it says")


def _publish(part: Path, folder: Path) -> None:
    try:
        os.rename(part, folder)
    except OSError as error:
        if not folder.is_dir():  # another process was faster, and its images are the same
            raise cannot_write(folder, error) from None
