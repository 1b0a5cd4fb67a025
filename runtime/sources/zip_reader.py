"""The members of a zip file, one by one, as its central directory lists them.

`zipfile` would read the whole directory into memory first (half a kilobyte per member), and reject the whole archive for
one odd member. Layout: PKWARE's APPNOTE.TXT, 4.3 and 4.5.
"""

import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, MemberKind, is_image_member
from edgeclf.runtime.sources.unreadable import require_size

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT_BYTES = 0xFFFF
_IN_ZIP64_FIELD = 0xFFFFFFFF
"""Stands for a number that needs more than 32 bits and is stored in the ZIP64 extra field instead."""

_WRAP = 1 << 32
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8


def zip_members(archive: ArchiveFile, wanted: Callable[[str], bool] = is_image_member) -> Iterator[Member]:
    """The members in the order of the central directory. Raises one of DAMAGE_ERRORS where that is damaged.

    Where offsets are stored modulo 2^32, all wanted files are found before the first member is given.
    """
    with archive.open() as file, archive.open() as local_headers:
        directory = _find_directory(file, archive.size_bytes)
        if directory.start < _WRAP or directory.is_zip64:
            yield from _read_directory(file, archive, directory, lambda offset, _: offset + directory.shift, wanted)
            return
        for _ in _read_directory(file, archive, directory, _WrappedOffsets(local_headers, archive, directory), wanted):
            pass
        yield from _read_directory(file, archive, directory, _WrappedOffsets(local_headers, archive, directory), wanted)


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file inside a zip file.

    name: as stored. offset: of its local header. packed_bytes, size_bytes: as the central directory declares them.
    """

    archive: ArchiveFile
    name: bytes
    offset: int
    packed_bytes: int
    size_bytes: int
    checksum: int
    method: int
    flags: int

    def read(self) -> bytes:
        if self.flags & _ENCRYPTED:
            raise ImageError(Reason.UNREADABLE, "encrypted in its zip file")
        if self.method not in (_STORED, _DEFLATED):
            raise ImageError(Reason.UNREADABLE, f"packed with zip method {self.method}, which is not deflate")
        require_size(max(self.size_bytes, self.packed_bytes))
        data = self._unpack(self._read_packed())
        if len(data) != self.size_bytes or zlib.crc32(data) != self.checksum:
            raise ImageError(Reason.CORRUPT, "its size or checksum differs from the one in its zip file")
        return data

    def require_same_name(self) -> None:
        """Raise ImageError if its local header has another name than the directory: one of them is damaged."""
        with self.archive.open() as file:
            if _read_local_header(file, self.offset)[0] != self.name:
                raise ImageError(Reason.CORRUPT, "its name differs between the directory and the data of its zip file")

    def _read_packed(self) -> bytes:
        with self.archive.open() as file:
            _, extra_bytes = _read_local_header(file, self.offset)
            file.seek(extra_bytes, 1)
            data = file.read(self.packed_bytes)
        if len(data) < self.packed_bytes:
            raise ImageError(Reason.TRUNCATED, "its zip file ends in the middle of it")
        return data

    def _unpack(self, packed: bytes) -> bytes:
        """Unpacks at most one byte more than the declared size."""
        if self.method == _STORED:
            return packed
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.size_bytes + 1)
        except zlib.error as error:
            raise ImageError(Reason.CORRUPT, f"compressed data that cannot be unpacked ({error})") from None


def _read_local_header(file: BinaryIO, offset: int) -> tuple[bytes, int]:
    """The name, and the size of the extra field that follows. Raises ImageError if there is none."""
    file.seek(offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
        raise ImageError(Reason.CORRUPT, "not where the directory of its zip file says")
    *_, name_bytes, extra_bytes = _LOCAL.unpack(header)
    return file.read(name_bytes), extra_bytes


@dataclass(frozen=True, slots=True)
class _Directory:
    """shift: to add to all offsets, because something was put in front of the zip."""

    start: int
    size_bytes: int
    shift: int
    is_zip64: bool


class _WrappedOffsets:
    """Finds the local headers in a zip of more than 4 GiB without ZIP64, such as those of macOS: offsets are modulo 2^32."""

    def __init__(self, file: BinaryIO, archive: ArchiveFile, directory: _Directory) -> None:
        self._file = file
        self._end = archive.size_bytes
        self._shift = directory.shift % _WRAP
        self._previous = 0

    def __call__(self, offset: int, name: bytes) -> int:
        """The true offset: where the header has this name, preferably behind the one found before."""
        places = range(self._shift + offset, self._end, _WRAP)
        for place in sorted(places, key=lambda place: place < self._previous):
            if self._is_header(place, name):
                self._previous = place
                return place
        raise ImageError(
            Reason.CORRUPT, f"it has more than 4 GiB and no ZIP64, and {_decode_name(name, 0)!r} is not found in it"
        )

    def _is_header(self, place: int, name: bytes) -> bool:
        try:
            return _read_local_header(self._file, place)[0] == name
        except ImageError:
            return False


def _find_directory(file: BinaryIO, archive_bytes: int) -> _Directory:
    tail_start = max(0, archive_bytes - _END.size - _MAX_COMMENT_BYTES)
    file.seek(tail_start)
    tail = file.read()
    end_in_tail = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
    if end_in_tail < 0:
        raise ImageError(Reason.CORRUPT, "it has no directory: it is cut off or not a zip file")
    end = tail_start + end_in_tail
    *_, size_bytes, offset, _comment_bytes = _END.unpack_from(tail, end_in_tail)
    locator = end_in_tail - _END64_LOCATOR.size
    is_zip64 = locator >= 0 and tail.startswith(b"PK\6\7", locator)
    if is_zip64:
        end -= _END64_LOCATOR.size + _END64.size
        file.seek(max(0, end))
        signature, *_, size_bytes, offset = _END64.unpack(file.read(_END64.size))
        if signature != b"PK\6\6":
            raise ImageError(Reason.CORRUPT, "the end of its directory is damaged")
    start = end - size_bytes
    if start < offset or start < 0:
        raise ImageError(Reason.CORRUPT, "its directory is not where it says")
    return _Directory(start, size_bytes, start - offset, is_zip64)


def _read_directory(
    file: BinaryIO,
    archive: ArchiveFile,
    directory: _Directory,
    locate: Callable[[int, bytes], int],
    wanted: Callable[[str], bool],
) -> Iterator[Member]:
    """All members. locate: turns the stored offset and the name of a wanted file into the offset of its local header."""
    end = directory.start + directory.size_bytes
    file.seek(directory.start)
    while file.tell() < end:
        yield _read_entry(file, archive, locate, wanted)
    if file.tell() > end:  # an entry with a damaged length hides those after it
        raise ImageError(Reason.CORRUPT, "its directory is damaged; members may be missing")


def _read_entry(
    file: BinaryIO, archive: ArchiveFile, locate: Callable[[int, bytes], int], wanted: Callable[[str], bool]
) -> Member:
    """The next member of the directory."""
    entry = file.read(_ENTRY.size)
    if len(entry) < _ENTRY.size or not entry.startswith(b"PK\1\2"):
        raise ImageError(Reason.CORRUPT, "its directory is damaged; the members after the damage are lost")
    _, _, _, flags, method, _, _, checksum, packed, size, *lengths, _, _, attributes, offset = _ENTRY.unpack(entry)
    name_bytes, extra_bytes, comment_bytes = lengths
    stored_name = file.read(name_bytes)
    name = _decode_name(stored_name, flags)
    size, packed, offset = _with_zip64(file.read(extra_bytes), size, packed, offset)
    file.seek(comment_bytes, 1)
    kind = _kind(name, stat.S_IFMT(attributes >> 16))
    if kind is not MemberKind.FILE or not wanted(name):
        return Member(name, kind=kind)
    image = ZipMember(
        archive=archive,
        name=stored_name,
        offset=locate(offset, stored_name),
        packed_bytes=packed,
        size_bytes=size,
        checksum=checksum,
        method=method,
        flags=flags,
    )
    return Member(name, image, size, checksum)


def _decode_name(name: bytes, flags: int) -> str:
    """Without its UTF-8 flag, a name is in code page 437 according to the format; many programs write UTF-8 anyway."""
    try:
        return name.decode("utf-8")
    except UnicodeError:
        return name.decode("utf-8", "surrogateescape") if flags & _UTF8_NAME else name.decode("cp437")


def _kind(name: str, file_type: int) -> MemberKind:
    """file_type: of `stat`; 0 if the zip was written by a program that knows only files and folders."""
    if name.endswith("/"):
        return MemberKind.FOLDER if file_type in (0, stat.S_IFDIR) else MemberKind.SPECIAL
    return MemberKind.FILE if file_type in (0, stat.S_IFREG) else MemberKind.SPECIAL


def _with_zip64(extra: bytes, *numbers: int) -> list[int]:
    """The numbers. Those that do not fit in 32 bits are taken from the ZIP64 extra field, which holds them in this order."""
    wide = iter(())
    while len(extra) >= 4:
        kind, size_bytes = struct.unpack_from("<2H", extra)
        if kind == 1:
            field = extra[4 : 4 + size_bytes]
            wide = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
        extra = extra[4 + size_bytes :]
    return [next(wide, number) if number == _IN_ZIP64_FIELD else number for number in numbers]
