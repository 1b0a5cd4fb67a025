"""WebP by the head of its RIFF file: its size, whether its end is there, and whether it is an animation."""

import struct

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"RIFF",)
_ANIMATED = 0x02
_CANVAS = 10
"""Pixels' worth of one pixel of an animation's canvas: libwebp keeps two of them, for any small frame on them."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises IndexError or struct.error where the file is cut, ImageError `not_an_image`."""
    if not b"WEBP".startswith(data[8:12]):
        raise ImageError(Reason.NOT_AN_IMAGE, "a RIFF file, but not WebP")
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
    raise ImageError(Reason.CORRUPT, f"WebP that starts with {data[12:16].hex(' ')}")


def is_cut(data: bytes) -> bool:
    """Whether the file is shorter than it says."""
    return len(data) < int(struct.unpack_from("<I", data, 4)[0]) + 8


def bits(data: bytes) -> int:
    """That a pixel has, unpacked."""
    return 24


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual image."""
    animated = data[12:16] == b"VP8X" and data[20] & _ANIMATED
    return pixels * _CANVAS if animated else pixels
