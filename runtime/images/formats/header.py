"""What an image's file says of itself: its format and its size, before anything is decoded.

Decoding first and asking later costs gigabytes: a PNG of 109 KB can hold 900 megapixels. The parsers follow the formats'
own specifications and read no more than they need.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.formats import bmp, gif, jpeg, png, tiff, webp


@dataclass(frozen=True, slots=True)
class Header:
    """Format name, and size in pixels as stored (before any EXIF rotation)."""

    format: str
    width: int
    height: int


class _Format(Protocol):
    """A module for each format. Its functions raise struct.error, IndexError or OverflowError where the file is cut."""

    MAGICS: tuple[bytes, ...]

    def size(self, data: bytes, /) -> tuple[int, int]: ...

    def is_cut(self, data: bytes, /) -> bool: ...

    def bits(self, data: bytes, /) -> int:
        """That the file has for each pixel, unpacked; 0 where that is of no account."""
        ...

    def work(self, data: bytes, pixels: int, enough: int, /) -> int: ...


_MOST_PACKED = 200
"""How many times smaller than its pixels a file can be: a scanned page of text is 60 times, an empty one up to 1,000."""
_FLAT = 8
"""Pixels' worth of one pixel of a file that is packed more than that: 12 megapixels of nothing are enough."""
_CUT = (struct.error, IndexError, OverflowError)  # offsets of a hostile TIFF overflow


def read_header(data: bytes) -> Header:
    """Recognise JPEG, PNG, BMP, GIF, TIFF and WebP by content; a file's name is not asked.

    Raises ImageError: `empty`, `not_an_image`, or `truncated` where the header itself is cut.
    """
    if not data:
        raise ImageError(Reason.EMPTY, "the file holds 0 bytes")
    name = next((name for name, format_ in _FORMATS.items() if data.startswith(format_.MAGICS)), None)
    if name is None:
        start = data[:8].hex(" ")
        raise ImageError(Reason.NOT_AN_IMAGE, f"not JPEG, PNG, BMP, GIF, TIFF or WebP (starts with {start})")
    try:
        width, height = _FORMATS[name].size(data)
    except _CUT:
        raise ImageError(Reason.TRUNCATED, f"{name} cut within its header") from None
    if width < 1 or height < 1:
        raise ImageError(Reason.CORRUPT, f"{name} of {width} x {height} pixels")
    return Header(name, width, height)


def is_cut_short(header: Header, data: bytes) -> bool:
    """Whether something is missing that the file itself says it has, or the end that its format promises."""
    try:
        return _FORMATS[header.format].is_cut(data)
    except _CUT:
        return True


def work(header: Header, data: bytes, enough: int) -> int:
    """What decoding costs, in pixels of a usual image: at least as many as it has, far more for some small files.

    enough: need not be counted beyond.
    """
    pixels = header.width * header.height
    format_ = _FORMATS[header.format]
    try:
        flat = pixels * format_.bits(data) > 8 * len(data) * _MOST_PACKED
        return max(format_.work(data, pixels, enough), pixels * _FLAT if flat else pixels)
    except _CUT:
        return pixels


_FORMATS: dict[str, _Format] = {"JPEG": jpeg, "PNG": png, "BMP": bmp, "GIF": gif, "TIFF": tiff, "WebP": webp}
