"""BMP by its header: its size, and whether its rows are all there."""

import struct

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"BM",)
_CORE = 12  # bytes of the header of 1987, with 16 bit sides; all others start alike
_LARGEST_HEADER = 1024  # of a text that happens to start with BM, the same four bytes say much more
_RUN_LENGTHS = (1, 2)
_SPARSE = 10
"""Pixels' worth of one pixel in run lengths: two bytes may stand for the rest of the image."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises struct.error where the file is cut, ImageError `not_an_image`."""
    header_bytes = struct.unpack_from("<I", data, 14)[0]
    if not _CORE <= header_bytes <= _LARGEST_HEADER:
        raise ImageError(Reason.NOT_AN_IMAGE, f"starts with BM, but no BMP (a header of {header_bytes:,} bytes)")
    width, height = struct.unpack_from("<HH" if header_bytes == _CORE else "<ii", data, 18)
    return width, abs(height)  # a negative height means top-down rows


def is_cut(data: bytes) -> bool:
    """Whether rows, or run lengths as the header counts them, are missing; the file's size in it is often wrong."""
    start, header_bytes = struct.unpack_from("<II", data, 10)
    compression = image_bytes = 0
    if header_bytes == _CORE:
        (bits,) = struct.unpack_from("<H", data, 24)
    else:
        bits, compression, image_bytes = struct.unpack_from("<HII", data, 28)
    if bits > 32:
        return False  # nonsense, which does not decode
    if compression not in _RUN_LENGTHS:
        width, height = size(data)
        image_bytes = (width * bits + 31) // 32 * 4 * height  # rows fill whole words
    return bool(len(data) < start + image_bytes)


def bits(data: bytes) -> int:
    """Of no account: `work` counts what is packed many times."""
    return 0


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual image."""
    header_bytes, compression = struct.unpack_from("<I12xI", data, 14)
    return pixels * _SPARSE if header_bytes != _CORE and compression in _RUN_LENGTHS else pixels
