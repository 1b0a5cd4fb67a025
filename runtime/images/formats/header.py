"""The format and the size of an image file, read from its header before anything is decoded.

Decoding first would cost gigabytes: a PNG of 109 KB can hold 900 megapixels. The parsers follow the specifications of the
formats and read no more than they need.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.formats import bmp, gif, jpeg, png, tiff, webp
from edgeclf.runtime.images.formats.other_kinds import kind_of


@dataclass(frozen=True, slots=True)
class Header:
    """Format name, and size in pixels as stored (before any EXIF rotation)."""

    format: str
    width: int
    height: int


class _Format(Protocol):
    """The module of one format. Its functions raise one of TRUNCATION_ERRORS for a truncated file."""

    MAGICS: tuple[bytes, ...]

    def size(self, data: bytes, /) -> tuple[int, int]: ...

    def is_truncated(self, data: bytes, /) -> bool: ...

    def bits_per_pixel(self, data: bytes, /) -> int:
        """Uncompressed; 0 where the compression ratio does not matter."""
        ...

    def decode_cost(self, data: bytes, pixels: int, limit: int, /) -> int: ...

    def has_alpha(self, data: bytes, /) -> bool: ...

    def exif(self, data: bytes, /) -> bytes:
        """Its EXIF block, empty without one."""
        ...

    def unsupported(self, data: bytes, /) -> str:
        """What the file holds that is not read although it is sound; empty for a file that is read."""
        ...


_HIGH_RATIO = 200
"""A compression ratio above this is suspicious: a scanned page of text reaches 60, an empty page up to 1,000."""
_HIGH_RATIO_COST = 8
"""Cost of one pixel of a file above that ratio: it may have at most 12 megapixels."""
TRUNCATION_ERRORS = (struct.error, IndexError, OverflowError)  # the offsets of a hostile TIFF overflow


def read_header(data: bytes) -> Header:
    """Recognise JPEG, PNG, BMP, GIF, TIFF and WebP by content, not by file name.

    Raises ImageError: `empty`, `unsupported` for other kinds of image, `not_an_image`, or `truncated` when the header itself
    is incomplete.
    """
    if not data:
        raise ImageError(Reason.EMPTY, "the file holds 0 bytes")
    name = next((name for name, format_ in _FORMATS.items() if data.startswith(format_.MAGICS)), None)
    if name is None:
        if kind := kind_of(data):
            raise ImageError(Reason.UNSUPPORTED, f"{kind} image, which is not read; convert it to JPEG or PNG")
        start = data[:8].hex(" ")
        raise ImageError(Reason.NOT_AN_IMAGE, f"not JPEG, PNG, BMP, GIF, TIFF or WebP (starts with {start})")
    try:
        width, height = _FORMATS[name].size(data)
    except TRUNCATION_ERRORS:
        raise ImageError(Reason.TRUNCATED, f"{name} cut within its header") from None
    if width < 1 or height < 1:
        raise ImageError(Reason.CORRUPT, f"{name} of {width} x {height} pixels")
    return Header(name, width, height)


def is_truncated(header: Header, data: bytes) -> bool:
    """Whether data that the file declares, or the end marker of its format, are missing."""
    try:
        return _FORMATS[header.format].is_truncated(data)
    except TRUNCATION_ERRORS:
        return True


def decode_cost(header: Header, data: bytes, limit: int) -> int:
    """What decoding costs, in pixels of an ordinary image: at least the pixel count, far more for some small files.

    limit: costs above this need not be exact.
    """
    pixels = header.width * header.height
    format_ = _FORMATS[header.format]
    try:
        high_ratio = pixels * format_.bits_per_pixel(data) > 8 * len(data) * _HIGH_RATIO
        return max(format_.decode_cost(data, pixels, limit), pixels * _HIGH_RATIO_COST if high_ratio else pixels)
    except TRUNCATION_ERRORS:
        return pixels


def has_alpha(header: Header, data: bytes) -> bool:
    """Whether pixels may be transparent, by the header. A JPEG never is."""
    try:
        return _FORMATS[header.format].has_alpha(data)
    except TRUNCATION_ERRORS:
        return False


def exif_block(header: Header, data: bytes) -> bytes:
    """The EXIF block, laid out as a TIFF; empty without one."""
    try:
        return _FORMATS[header.format].exif(data)
    except TRUNCATION_ERRORS:
        return b""


def unsupported(header: Header, data: bytes) -> str:
    """What a sound file holds that is not read, as in `signed 16-bit samples`; empty for a file that is read."""
    try:
        return _FORMATS[header.format].unsupported(data)
    except TRUNCATION_ERRORS:
        return ""


_FORMATS: dict[str, _Format] = {"JPEG": jpeg, "PNG": png, "BMP": bmp, "GIF": gif, "TIFF": tiff, "WebP": webp}
