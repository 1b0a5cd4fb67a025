"""How an image file stores its pixels (colour mode, bit depth, rotation), read without decoding it."""

import struct
from collections.abc import Callable, Iterator

from edgeclf.runtime.images.formats import exif, jpeg, tiff, webp
from edgeclf.runtime.images.formats.exif import first_short
from edgeclf.runtime.images.formats.header import Header, has_alpha


def modes(data: bytes, header: Header) -> frozenset[str]:
    """Which of these apply: grey, palette, CMYK, alpha, 16-bit, animated; and that a TIFF has more than one page.

    Raises one of TRUNCATION_ERRORS for an unusual header.
    """
    alpha = "alpha" if has_alpha(header, data) else ""
    return frozenset(filter(None, (alpha, *_MODES[header.format](data))))


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
            return exif.orientation(block)
    return 1


def _jpeg_modes(data: bytes) -> Iterator[str]:
    yield {1: "grey", 4: "CMYK"}.get(jpeg.components(data), "")


def _png_modes(data: bytes) -> Iterator[str]:
    depth, colour = data[24], data[25]
    chunks = data[: data.find(b"IDAT")]
    yield {0: "grey", 3: "palette", 4: "grey"}.get(colour, "")
    yield "16-bit" if depth == 16 else ""
    yield "animated" if b"acTL" in chunks else ""


def _bmp_modes(data: bytes) -> Iterator[str]:
    header_bytes = struct.unpack_from("<I", data, 14)[0]
    yield "palette" if data[24 if header_bytes == 12 else 28] <= 8 else ""


def _gif_modes(data: bytes) -> Iterator[str]:
    yield "palette"
    yield "animated" if data.count(b"\0\x21\xf9\x04") > 1 else ""  # each frame's graphic control extension


def _webp_modes(data: bytes) -> Iterator[str]:
    yield "animated" if webp.is_animated(data) else ""


def _tiff_modes(data: bytes) -> Iterator[str]:
    if data[2:4] in (b"+\0", b"\0+"):  # BigTIFF is so rare that it is not checked
        return
    directory = tiff.read_directory(data)
    yield {0: "grey", 1: "grey", 3: "palette", 5: "CMYK"}.get(first_short(data, directory, tiff.PHOTOMETRIC, -1), "")
    yield "16-bit" if first_short(data, directory, tiff.BITS, 8) == 16 else ""
    pages = tiff.pages(data)
    yield f"{pages:,} pages, of which the first is read" if pages > 1 else ""


_MODES: dict[str, Callable[[bytes], Iterator[str]]] = {
    "JPEG": _jpeg_modes,
    "PNG": _png_modes,
    "BMP": _bmp_modes,
    "GIF": _gif_modes,
    "TIFF": _tiff_modes,
    "WebP": _webp_modes,
}
