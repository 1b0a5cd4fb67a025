"""What a picture's first bytes say: its format and its size, before anything is decoded.

Decoding first and asking later costs gigabytes: a PNG of 109 KB can hold 900 megapixels. The parsers follow the formats'
own specifications and read no more than they need.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from edgeclf.runtime.errors import PictureError, Reason

_MAX_JPEG_SEGMENTS = 10_000
_JPEG_BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # followed by no length
_MAX_TIFF_ENTRIES = 4_096
_MAX_PNG_CHUNKS = 100_000
_TIFF_KINDS = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8


@dataclass(frozen=True, slots=True)
class Header:
    """Format name, and size in pixels as stored (before any EXIF rotation)."""

    format: str
    width: int
    height: int


def read_header(data: bytes) -> Header:
    """Recognise JPEG, PNG, BMP, GIF, TIFF and WebP by content; a file's name is not asked.

    Raises PictureError: `empty`, `not_an_image`, or `truncated` where the header itself is cut.
    """
    if not data:
        raise PictureError(Reason.EMPTY, "the file holds 0 bytes")
    format_name = next((name for name, (magics, _) in _FORMATS.items() if data.startswith(magics)), None)
    if format_name is None:
        start = data[:8].hex(" ")
        raise PictureError(Reason.NOT_AN_IMAGE, f"not JPEG, PNG, BMP, GIF, TIFF or WebP (starts with {start})")
    _, read_size = _FORMATS[format_name]
    try:
        width, height = read_size(data)
    except (struct.error, IndexError, OverflowError):  # offsets of a hostile TIFF overflow
        raise PictureError(Reason.TRUNCATED, f"{format_name} cut within its header") from None
    if width < 1 or height < 1:
        raise PictureError(Reason.CORRUPT, f"{format_name} of {width} x {height} pixels")
    return Header(format_name, width, height)


def is_cut_short(header: Header, data: bytes) -> bool:
    """Whether the end that the format promises is missing; asked only about pictures that did not decode."""
    match header.format:
        case "JPEG":
            return b"\xff\xd9" not in data[-1024:]  # some cameras add a few bytes after the end marker
        case "PNG":
            return b"IEND" not in data[-1024:]
        case "GIF":
            return not data.rstrip(b"\0").endswith(b"\x3b")
        case "BMP":
            return len(data) < int(struct.unpack_from("<I", data, 2)[0])
        case "WebP":
            return len(data) < int(struct.unpack_from("<I", data, 4)[0]) + 8
    return False


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        position = data.find(b"\xff", position)  # stray bytes between segments are passed over, as libjpeg does
        if position < 0:
            raise IndexError
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _JPEG_BARE_MARKERS:
            position += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        elif marker in (0xD9, 0xDA):  # the end, or pixels already
            break
        else:
            position += 2 + max(2, int(struct.unpack_from(">H", data, position + 2)[0]))
    raise PictureError(Reason.CORRUPT, "JPEG without a frame header")


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    position = 8
    for _ in range(_MAX_PNG_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):  # OpenCV would reserve what the chunk claims, up to 2 GB, before it looks
            raise IndexError
        if kind == b"IEND":
            break
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int]:
    header_bytes = struct.unpack_from("<I", data, 14)[0]
    width, height = struct.unpack_from("<HH" if header_bytes == 12 else "<ii", data, 18)
    return width, abs(height)  # a negative height means top-down rows


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
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
    raise PictureError(Reason.NOT_AN_IMAGE, "a RIFF file, but not WebP")


def _tiff_size(data: bytes) -> tuple[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43  # BigTIFF: 64-bit offsets
    start, count_format, entry_bytes, value_at = (8, "Q", 20, 12) if big else (4, "H", 12, 8)
    directory = struct.unpack_from(order + ("Q" if big else "I"), data, start)[0]
    count = struct.unpack_from(order + count_format, data, directory)[0]
    first = directory + struct.calcsize(count_format)
    size: dict[int, int] = {}
    for entry in range(first, first + min(count, _MAX_TIFF_ENTRIES) * entry_bytes, entry_bytes):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257) and kind in _TIFF_KINDS:  # ImageWidth, ImageLength
            size[tag] = struct.unpack_from(order + _TIFF_KINDS[kind], data, entry + value_at)[0]
    return size.get(256, 0), size.get(257, 0)


_FORMATS: dict[str, tuple[tuple[bytes, ...], Callable[[bytes], tuple[int, int]]]] = {
    "JPEG": ((b"\xff\xd8\xff",), _jpeg_size),
    "PNG": ((b"\x89PNG\r\n\x1a\n",), _png_size),
    "BMP": ((b"BM",), _bmp_size),
    "GIF": ((b"GIF87a", b"GIF89a"), _gif_size),
    "TIFF": ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff_size),
    "WebP": ((b"RIFF",), _webp_size),
}
