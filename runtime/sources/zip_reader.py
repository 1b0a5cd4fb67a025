"""The members of a zip file, one by one as its directory names them.

`zipfile` reads the whole directory into memory first (half a kilobyte a member), and gives up over one odd member.
Layout: PKWARE's APPNOTE.TXT, 4.3 and 4.5.
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.sources.archive_member import ArchiveFile, Member, is_wanted
from edgeclf.runtime.sources.unreadable import require_size

UTF8_NAME = 0x800
"""The flag of an entry whose name is in UTF-8."""

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT_BYTES = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF
"""Stands for a number that has no room in 32 bits and is in the ZIP64 extra field instead."""

_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8


def zip_members(archive: ArchiveFile) -> Iterator[Member]:
    """Its files in the order of its directory. Raises one of DAMAGE where that is damaged."""
    with archive.opened() as file:
        start, size_bytes, shift = _find_directory(file, archive.size_bytes)
        file.seek(start)
        while file.tell() < start + size_bytes:
            member = _read_entry(file, archive, shift)
            if member is not None:
                yield member


def zip_name(name: bytes, flags: int) -> str:
    """Without the flag for UTF-8 a name is in code page 437, says the format; many programs write UTF-8 all the same."""
    try:
        return name.decode("utf-8")
    except UnicodeError:
        return name.decode("utf-8", "surrogateescape") if flags & UTF8_NAME else name.decode("cp437")


@dataclass(frozen=True, slots=True)
class ZipMember:
    """An image in a zip file. offset: of its local header; packed_bytes, size_bytes: as the directory declares them."""

    archive: ArchiveFile
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
            raise ImageError(Reason.UNREADABLE, f"packed by zip method {self.method}, which is not deflate")
        require_size(max(self.size_bytes, self.packed_bytes))
        data = self._unpack(self._read_packed())
        if len(data) != self.size_bytes or zlib.crc32(data) != self.checksum:
            raise ImageError(Reason.CORRUPT, "its zip file has another size or check sum for it")
        return data

    def _read_packed(self) -> bytes:
        with self.archive.opened() as file:
            file.seek(self.offset)
            header = file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
                raise ImageError(Reason.CORRUPT, "not where the directory of its zip file says")
            *_, name_bytes, extra_bytes = _LOCAL.unpack(header)
            file.seek(name_bytes + extra_bytes, 1)
            data = file.read(self.packed_bytes)
        if len(data) < self.packed_bytes:
            raise ImageError(Reason.TRUNCATED, "its zip file ends before it does")
        return data

    def _unpack(self, packed: bytes) -> bytes:
        """Never more than one byte beyond the size that is declared."""
        if self.method == _STORED:
            return packed
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.size_bytes + 1)
        except zlib.error as error:
            raise ImageError(Reason.CORRUPT, f"packed data that does not unpack ({error})") from None


def _find_directory(file: BinaryIO, archive_bytes: int) -> tuple[int, int, int]:
    """Start and size of the directory, and by how much all offsets are shifted because something was put before the zip."""
    tail_start = max(0, archive_bytes - _END.size - _MAX_COMMENT_BYTES)
    file.seek(tail_start)
    tail = file.read()
    place = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
    if place < 0:
        raise ImageError(Reason.CORRUPT, "it has no directory, as if it were cut off or no zip file")
    end = tail_start + place
    *_, size_bytes, offset, _comment_bytes = _END.unpack_from(tail, place)
    locator = place - _END64_LOCATOR.size
    if locator >= 0 and tail.startswith(b"PK\6\7", locator):
        end -= _END64_LOCATOR.size + _END64.size
        file.seek(max(0, end))
        signature, *_, size_bytes, offset = _END64.unpack(file.read(_END64.size))
        if signature != b"PK\6\6":
            raise ImageError(Reason.CORRUPT, "the end of its directory is damaged")
    start = end - size_bytes
    if start < offset or start < 0:
        raise ImageError(Reason.CORRUPT, "its directory is not where it says")
    return start, size_bytes, start - offset


def _read_entry(file: BinaryIO, archive: ArchiveFile, shift: int) -> Member | None:
    """The next file in the directory; None for a folder."""
    entry = file.read(_ENTRY.size)
    if len(entry) < _ENTRY.size or not entry.startswith(b"PK\1\2"):
        raise ImageError(Reason.CORRUPT, "its directory is damaged, and what comes after is lost")
    _, _, _, flags, method, _, _, checksum, packed, size, *lengths, _, _, attributes, offset = _ENTRY.unpack(entry)
    name_bytes, extra_bytes, comment_bytes = lengths
    name = zip_name(file.read(name_bytes), flags)
    size, packed, offset = _whole(file.read(extra_bytes), size, packed, offset)
    file.seek(comment_bytes, 1)
    if name.endswith("/"):
        return None
    if stat.S_IFMT(attributes >> 16) not in (0, stat.S_IFREG) or not is_wanted(name):  # a link, a device
        return Member(name)
    return Member(name, ZipMember(archive, offset + shift, packed, size, checksum, method, flags), size, checksum)


def _whole(extra: bytes, *numbers: int) -> list[int]:
    """Numbers of an entry; those that stand in its ZIP64 extra field are taken from there, where they come in this order."""
    wide = iter(())
    while len(extra) >= 4:
        kind, size_bytes = struct.unpack_from("<2H", extra)
        if kind == 1:
            field = extra[4 : 4 + size_bytes]
            wide = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
        extra = extra[4 + size_bytes :]
    return [next(wide, number) if number == _IN_EXTRA else number for number in numbers]
