"""WebP: size, completeness, alpha and animation from its RIFF file."""

import struct

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"RIFF",)
_ALPHA, _ANIMATED = 0x10, 0x02
_MAX_CHUNKS = 10_000
_CANVAS_COST = 10
"""Cost of one canvas pixel of an animation: libwebp keeps two canvases, however small the frames on them are."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises IndexError or struct.error when truncated, ImageError `not_an_image` or `corrupt`."""
    if not b"WEBP".startswith(data[8:12]):
        raise ImageError(Reason.NOT_AN_IMAGE, "a RIFF file that is not WebP")
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width, height = struct.unpack_from("<I", data, 24)[0], struct.unpack_from("<I", data, 26)[0]
            return (width & 0xFFFFFF) + 1, (height >> 8) + 1
    if len(data) < 30:
        raise IndexError
    raise ImageError(Reason.CORRUPT, f"WebP whose first chunk has the unknown name {data[12:16].hex(' ')}")


def is_truncated(data: bytes) -> bool:
    """Whether the file is shorter than its header says."""
    return len(data) < int(struct.unpack_from("<I", data, 4)[0]) + 8


def bits_per_pixel(data: bytes) -> int:
    """Uncompressed."""
    return 24


def decode_cost(data: bytes, pixels: int, limit: int) -> int:
    """In pixels of an ordinary image."""
    return pixels * _CANVAS_COST if is_animated(data) else pixels


def has_alpha(data: bytes) -> bool:
    """Whether its header says so."""
    flags = {b"VP8X": data[20], b"VP8L": data[24]}
    return bool(flags.get(data[12:16], 0) & _ALPHA)


def is_animated(data: bytes) -> bool:
    """Whether its header says so."""
    return data[12:16] == b"VP8X" and bool(data[20] & _ANIMATED)


def exif(data: bytes) -> bytes:
    """Its EXIF block, empty without one."""
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            return data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0")
        position += 8 + length + length % 2
    return b""


def unsupported(data: bytes) -> str:
    """Always empty."""
    return ""
