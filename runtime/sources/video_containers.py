"""Whether a video file is cut off, by the sizes that its container declares for itself.

The length in a header says less: it may be that of the sound, and edit lists hide frames of the video.
"""

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

_UNKNOWN_SIZE = 0
_MAX_BOXES = 1_000_000
"""Fragments of days. A hostile file can have a box in every eight bytes."""
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_BYTES = 1 << 16


def is_cut_off(path: str) -> bool:
    """Whether the file ends before its container does, or the container does not say where it ends.

    Transport streams, MPEG program streams, Ogg and bare JPEGs declare nothing: FFmpeg finds their length at their end, so
    they are never cut off. Raises OSError.
    """
    with open(path, "rb") as file:
        magic = file.read(12)
        container_end = next((find for start, find in _ENDS.items() if magic.startswith(start)), None)
        if magic[4:8] in _MP4_BOXES:
            container_end = _mp4_end
        if not container_end:
            return False
        size_bytes = os.fstat(file.fileno()).st_size
        file.seek(0)
        try:
            end = container_end(file, size_bytes)
        except struct.error:  # it ends in the middle of a header
            return True
        return end == _UNKNOWN_SIZE or end > size_bytes


def _mp4_end(file: BinaryIO, size_bytes: int) -> int:
    """The end of the last box (ISO/IEC 14496-12, 4.2)."""
    end = 0
    for _ in range(_MAX_BOXES):
        if end >= size_bytes:
            return end
        file.seek(end)
        (box_bytes,) = struct.unpack(">L4x", file.read(8))
        if box_bytes == 1:
            (box_bytes,) = struct.unpack(">Q", file.read(8))
        if box_bytes < 8:  # 0 is a box without a declared end
            return _UNKNOWN_SIZE
        end += box_bytes
    return _UNKNOWN_SIZE


def _matroska_end(file: BinaryIO, size_bytes: int) -> int:
    """The end of the segment, which follows the EBML header (RFC 8794 and RFC 9559)."""
    file.seek(4)
    header_bytes = _vint(file)
    file.seek(header_bytes, os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return _UNKNOWN_SIZE
    segment_bytes = _vint(file)
    return file.tell() + segment_bytes if segment_bytes else _UNKNOWN_SIZE


def _vint(file: BinaryIO) -> int:
    """A size in EBML; 0 if all of its bits are set, which means that it is unknown."""
    (first,) = struct.unpack("B", file.read(1))
    length = 9 - first.bit_length()
    rest = file.read(length - 1)
    if length > 8 or len(rest) < length - 1:
        raise struct.error
    bits = 7 * length
    size_bytes = int.from_bytes(bytes([first]) + rest, "big") - (1 << bits)
    return 0 if size_bytes == (1 << bits) - 1 else size_bytes


def _avi_end(file: BinaryIO, size_bytes: int) -> int:
    """The end of the last RIFF list; files of more than 1 GiB have several."""
    end = 0
    while end < size_bytes:
        file.seek(end)
        name, list_bytes = struct.unpack("<4sL", file.read(8))
        if name != b"RIFF":  # something was appended
            return end
        if not list_bytes:
            return _UNKNOWN_SIZE
        end += 8 + list_bytes
    return end


def _asf_end(file: BinaryIO, size_bytes: int) -> int:
    """The size of the file, in its file properties object; 0 for a broadcast."""
    header = file.read(_HEADER_BYTES)
    start = header.find(_ASF_FILE_PROPERTIES)
    return int(struct.unpack_from("<Q", header, start + 40)[0]) if start >= 0 else _UNKNOWN_SIZE


def _flv_end(file: BinaryIO, size_bytes: int) -> int:
    """The size of the file in its metadata, otherwise the end of a last tag that is whole."""
    header = file.read(_HEADER_BYTES)
    start = header.find(b"filesize\0")
    if start >= 0 and (declared := struct.unpack_from(">d", header, start + 9)[0]) > 0:
        return int(min(declared, 1 << 62))
    file.seek(max(0, size_bytes - 4))
    (tag_bytes,) = struct.unpack(">L", file.read(4))
    file.seek(max(0, size_bytes - 4 - tag_bytes))
    _, high, low = struct.unpack(">BBH", file.read(4))
    return size_bytes if tag_bytes == 11 + (high << 16) + low else _UNKNOWN_SIZE


_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_ENDS: dict[bytes, Callable[[BinaryIO, int], int]] = {
    b"\x1a\x45\xdf\xa3": _matroska_end,
    b"RIFF": _avi_end,
    b"\x30\x26\xb2\x75": _asf_end,
    b"FLV\x01": _flv_end,
}
