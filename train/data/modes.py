"""How an image file stores its pixels (colour mode, bit depth, rotation), read without decoding it."""

import struct
from collections.abc import Callable, Iterator

from edgeclf.runtime.images.formats import jpeg, tiff
from edgeclf.runtime.images.formats.header import Header


def modes(data: bytes, header: Header) -> frozenset[str]:
    """Which of these apply: grey, palette, CMYK, alpha, 16-bit, animated.

    Raises one of TRUNCATION_ERRORS for an unusual header.
    """
    return frozenset(filter(None, _MODES[header.format](data)))


def orientation(data: bytes) -> int:
    """The EXIF orientation of a JPEG, 1 to 8; 1, upright, if the file has none.

    Raises one of TRUNCATION_ERRORS for an unusual header.
    """
    for marker, position in jpeg.segments(data):
        if marker in (jpeg.START_OF_SCAN, jpeg.END_OF_IMAGE):
            break
        start = position + 4
        if marker == jpeg.APP1 and data[start : start + 6] == b"Exif\0\0":
            block = data[start + 6 : start + 65536]  # EXIF is stored as a TIFF
            value = _short(block, tiff.read_directory(block), tiff.ORIENTATION, 1)
            return value if 1 <= value <= 8 else 1
    return 1


def _short(data: bytes, directory: tiff.Directory, tag: int, default: int) -> int:
    """The first value of a tag of 16-bit numbers, or the default when it is missing or of another type.

    The count is ignored, as OpenCV does.
    """
    entry = directory.get(tag)
    if entry is None or entry.kind != tiff.SHORT:
        return default
    return int(struct.unpack_from(tiff.byte_order(data) + "H", data, entry.position)[0])


def _jpeg_modes(data: bytes) -> Iterator[str]:
    yield {1: "grey", 4: "CMYK"}.get(jpeg.components(data), "")


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
    if data[2:4] in (b"+\0", b"\0+"):  # BigTIFF is so rare that it is not checked
        return
    directory = tiff.read_directory(data)
    yield {0: "grey", 1: "grey", 3: "palette", 5: "CMYK"}.get(_short(data, directory, tiff.PHOTOMETRIC, -1), "")
    yield "16-bit" if _short(data, directory, tiff.BITS, 8) == 16 else ""


_MODES: dict[str, Callable[[bytes], Iterator[str]]] = {
    "JPEG": _jpeg_modes,
    "PNG": _png_modes,
    "BMP": _bmp_modes,
    "GIF": _gif_modes,
    "TIFF": _tiff_modes,
    "WebP": _webp_modes,
}
