"""BMP: size, completeness and alpha from the header."""

import struct

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"BM",)
_CORE_HEADER = 12  # bytes of the OS/2 header of 1987, which has 16-bit sides; all later headers start alike
_LARGEST_HEADER = 1024  # text that happens to start with BM claims far more in these four bytes
_RUN_LENGTHS = (1, 2)
_BIT_FIELDS = (3, 6)
_HEADER_WITH_ALPHA = 56  # the shortest that has a mask for alpha
_EMBEDDED = {4: "a JPEG inside", 5: "a PNG inside"}
_RUN_LENGTH_COST = 10
"""Cost of one run-length encoded pixel: two bytes may stand for the rest of the image."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises struct.error when the file is truncated, ImageError `not_an_image`."""
    header_bytes = struct.unpack_from("<I", data, 14)[0]
    if not _CORE_HEADER <= header_bytes <= _LARGEST_HEADER:
        raise ImageError(Reason.NOT_AN_IMAGE, f"starts with BM but is not a BMP (its header claims {header_bytes:,} bytes)")
    width, height = struct.unpack_from("<HH" if header_bytes == _CORE_HEADER else "<ii", data, 18)
    return width, abs(height)  # a negative height means top-down rows


def is_truncated(data: bytes) -> bool:
    """Whether rows are missing, or run lengths as the header counts them; the header's file size is often wrong."""
    start, header_bytes = struct.unpack_from("<II", data, 10)
    compression = image_bytes = 0
    if header_bytes == _CORE_HEADER:
        (bits,) = struct.unpack_from("<H", data, 24)
    else:
        bits, compression, image_bytes = struct.unpack_from("<HII", data, 28)
    if bits > 32:
        return False  # invalid, and refused by the decoder
    if compression not in _RUN_LENGTHS:
        width, height = size(data)
        image_bytes = (width * bits + 31) // 32 * 4 * height  # rows are padded to 32 bits
    return bool(len(data) < start + image_bytes)


def bits_per_pixel(data: bytes) -> int:
    """Not used: `decode_cost` covers the compressed kinds."""
    return 0


def decode_cost(data: bytes, pixels: int, limit: int) -> int:
    """In pixels of an ordinary image."""
    header_bytes, compression = struct.unpack_from("<I12xI", data, 14)
    has_run_lengths = header_bytes != _CORE_HEADER and compression in _RUN_LENGTHS
    return pixels * _RUN_LENGTH_COST if has_run_lengths else pixels


def has_alpha(data: bytes) -> bool:
    """Whether its header has a mask for alpha. The fourth byte of a plain 32-bit pixel means nothing."""
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes < _HEADER_WITH_ALPHA:
        return False
    bits, compression = struct.unpack_from("<HI", data, 28)
    return bits == 32 and compression in _BIT_FIELDS and bool(struct.unpack_from("<I", data, 66)[0])


def exif(data: bytes) -> bytes:
    """Always empty."""
    return b""


def unsupported(data: bytes) -> str:
    """The kinds that only printers read, as in `a JPEG inside`; otherwise empty."""
    header_bytes, compression = struct.unpack_from("<I12xI", data, 14)
    return "" if header_bytes == _CORE_HEADER else _EMBEDDED.get(compression, "")
