"""What an image's bytes say about how its pixels are stored: colour mode, depth, rotation; nothing is decoded."""

import struct
from collections.abc import Callable, Iterator

from edgeclf.runtime.images.formats.header import Header


def modes(data: bytes, header: Header) -> frozenset[str]:
    """Those of grey, palette, CMYK, alpha, 16-bit and animated that apply. struct.error or IndexError: an odd header."""
    return frozenset(filter(None, _MODES[header.format](data)))


def orientation(data: bytes) -> int:
    """EXIF's tag 274 of a JPEG, 1 to 8; 1 is upright, and what stands for none."""
    for marker, start in _segments(data):
        if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
            orientation = _tiff_tags(data[start + 6 : start + 65536]).get(274, 1)
            return orientation if 1 <= orientation <= 8 else 1
    return 1


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and start of the contents of each segment of a JPEG before its pixels."""
    position = data.find(b"\xff", 2)
    while position >= 0 and (marker := data[position + 1]) not in (0xD9, 0xDA):
        if 0xC0 <= marker < 0xFF and not 0xD0 <= marker <= 0xD8:
            yield marker, position + 4
            position += max(2, int(struct.unpack_from(">H", data, position + 2)[0])) + 1
        position = data.find(b"\xff", position + 1)


def _tiff_tags(data: bytes) -> dict[int, int]:
    """The first value of each short whole number in a TIFF's first directory; EXIF is stored as one."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    tags = {}
    for number in range(struct.unpack_from(order + "H", data, directory)[0]):
        entry = directory + 2 + 12 * number
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        if kind == 3:  # SHORT; up to two of them stand in the entry itself
            value_at = entry + 8 if count <= 2 else struct.unpack_from(order + "I", data, entry + 8)[0]
            tags[tag] = struct.unpack_from(order + "H", data, value_at)[0]
    return tags


def _jpeg_modes(data: bytes) -> Iterator[str]:
    for marker, start in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame: precision, height, width, count
            yield {1: "grey", 4: "CMYK"}.get(data[start + 5], "")


def _png_modes(data: bytes) -> Iterator[str]:
    depth, colour = data[24], data[25]
    chunks = data[: data.find(b"IDAT")]
    yield {0: "grey", 3: "palette", 4: "grey"}.get(colour, "")
    yield "alpha" if colour in (4, 6) or b"tRNS" in chunks else ""
    yield "16-bit" if depth == 16 else ""
    yield "animated" if b"acTL" in chunks else ""


def _bmp_modes(data: bytes) -> Iterator[str]:
    header_bytes = struct.unpack_from("<I", data, 14)[0]
    yield "palette" if data[24 if header_bytes == 12 else 28] <= 8 else ""


def _gif_modes(data: bytes) -> Iterator[str]:
    yield "palette"
    yield "animated" if data.count(b"\0\x21\xf9\x04") > 1 else ""  # each frame's graphic control extension


def _webp_modes(data: bytes) -> Iterator[str]:
    flags = data[20] if data[12:16] == b"VP8X" else data[24] & 0x10 if data[12:16] == b"VP8L" else 0
    yield "alpha" if flags & 0x10 else ""
    yield "animated" if flags & 0x02 else ""


def _tiff_modes(data: bytes) -> Iterator[str]:
    if data[2:4] in (b"+\0", b"\0+"):  # BigTIFF has another directory
        return
    tags = _tiff_tags(data)
    yield {0: "grey", 1: "grey", 3: "palette", 5: "CMYK"}.get(tags.get(262, -1), "")
    yield "16-bit" if tags.get(258, 8) == 16 else ""


_MODES: dict[str, Callable[[bytes], Iterator[str]]] = {
    "JPEG": _jpeg_modes,
    "PNG": _png_modes,
    "BMP": _bmp_modes,
    "GIF": _gif_modes,
    "TIFF": _tiff_modes,
    "WebP": _webp_modes,
}
