"""The size is read from the header, and images that are too large are refused before anything is decoded."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.decode import check_size
from edgeclf.runtime.images.formats.header import Header, read_header

Encode = Callable[..., bytes]
HUGE = 30_000  # 30,000 x 30,000 are 900 megapixels


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A grey PNG of one bit a pixel."""
    start = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + png_chunk(b"IDAT", zlib.compress(rows, 1)) + png_chunk(b"IEND", b"")


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    return b"\xff\xd8" + before + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def bmp(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 14 + len(info), 0, 0, 54) + info


def bmp_core(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 26, 0, 0, 26) + struct.pack("<IHHHH", 12, width, height, 1, 24)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b";"


def tiff(order: str, width: int, height: int, kind: int = 4) -> bytes:
    value = "I" if kind == 4 else "H2x"
    entries = [struct.pack(f"{order}HHI{value}", tag, kind, 1, side) for tag, side in ((256, width), (257, height))]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return start + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)


def big_tiff(order: str, width: int, height: int) -> bytes:
    entries = [struct.pack(f"{order}HHQQ", tag, 16, 1, side) for tag, side in ((256, width), (257, height))]
    start = (b"II+\0" if order == "<" else b"MM\0+") + struct.pack(order + "HHQ", 8, 0, 16)
    return start + struct.pack(order + "Q", len(entries)) + b"".join(entries) + bytes(8)


def webp(chunk: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + chunk + struct.pack("<I", len(body)) + body


def webp_extended(width: int, height: int) -> bytes:
    return webp(b"VP8X", bytes(4) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3])


def webp_lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(8))


def webp_lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(8))


BOMBS = {
    "png": png(HUGE, HUGE),
    "png-wide": png(200_000_000, 1),
    "jpeg": jpeg(HUGE, HUGE),
    "jpeg-after-exif": jpeg(HUGE, HUGE, segment(0xE1, b"Exif\0\0" + jpeg(8, 8))),
    "bmp": bmp(HUGE, HUGE),
    "bmp-top-down": bmp(HUGE, -HUGE),
    "bmp-core": bmp_core(HUGE, HUGE),
    "gif": gif(HUGE, HUGE),
    "tiff-little": tiff("<", HUGE, HUGE),
    "tiff-big-endian": tiff(">", HUGE, HUGE),
    "tiff-short": tiff(">", HUGE, HUGE, kind=3),
    "bigtiff-little": big_tiff("<", HUGE, HUGE),
    "bigtiff-big-endian": big_tiff(">", HUGE, HUGE),
    "webp-extended": webp_extended(HUGE, HUGE),
    "webp-lossless": webp_lossless(16_000, 16_000),
    "webp-lossy": webp_lossy(16_000, 16_000),
}

SAMPLES: dict[str, tuple[str, dict[str, object]]] = {
    "jpeg": ("JPEG", {}),
    "jpeg-progressive": ("JPEG", {"progressive": True}),
    "jpeg-with-profile": ("JPEG", {"icc_profile": bytes(100_000)}),
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "bigtiff": ("TIFF", {"big_tiff": True}),
    "webp-lossy": ("WEBP", {}),
    "webp-lossless": ("WEBP", {"lossless": True}),
    "webp-extended": ("WEBP", {"exif": b"Exif\0\0"}),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_header_has_the_stored_size(sample: str, encode: Encode, scene: NDArray[np.uint8]) -> None:
    format_name, options = SAMPLES[sample]

    header = read_header(encode(scene, format_name, **options))

    assert (header.format.upper(), header.width, header.height) == (format_name, 48, 32)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (bmp(5, -7), Header("BMP", 5, 7)),
        (bmp_core(5, 7), Header("BMP", 5, 7)),
        (tiff("<", 5, 7), Header("TIFF", 5, 7)),
        (tiff(">", 5, 7), Header("TIFF", 5, 7)),
        (tiff(">", 5, 7, kind=3), Header("TIFF", 5, 7)),
        (big_tiff("<", 5, 7), Header("TIFF", 5, 7)),
        (big_tiff(">", 5, 7), Header("TIFF", 5, 7)),
        (jpeg(5, 7, b"\xff\xff\xff" + segment(0xE0, b"JFIF\0")), Header("JPEG", 5, 7)),
        (jpeg(5, 7, segment(0xC4, bytes(30))), Header("JPEG", 5, 7)),
        (jpeg(5, 7, segment(0xE1, b"Exif\0\0" + jpeg(640, 480))), Header("JPEG", 5, 7)),
        (b"GIF87a" + gif(5, 7)[6:], Header("GIF", 5, 7)),
    ],
    ids=[
        "bmp-top-down",
        "bmp-core",
        "tiff-little",
        "tiff-big",
        "tiff-short",
        "bigtiff-little",
        "bigtiff-big",
        "jpeg-fill-bytes",
        "jpeg-huffman-table-first",
        "jpeg-thumbnail-inside",
        "gif87a",
    ],
)
def test_header_of_a_rare_layout_is_read(data: bytes, header: Header) -> None:
    assert read_header(data) == header


@pytest.mark.parametrize("name", BOMBS)
def test_image_above_100_megapixels_is_too_large(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        Preprocess((8, 8))(BOMBS[name])

    assert caught.value.reason is Reason.TOO_LARGE


def test_refusal_names_the_size_and_the_limit() -> None:
    with pytest.raises(ImageError, match=r"30000 x 30000 .*900 megapixels.*limit is 100 megapixels"):
        Preprocess((8, 8))(BOMBS["png"])


def test_exactly_100_megapixels_are_allowed() -> None:
    check_size(Header("PNG", 10_000, 10_000))


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (10_000, 10_001), ((1 << 20) + 1, 1), (1, (1 << 20) + 1)])
def test_one_row_or_column_above_the_limit_is_refused(width: int, height: int) -> None:
    with pytest.raises(ImageError, match="too_large"):
        check_size(Header("PNG", width, height))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"hello, I am a text\n", Reason.NOT_AN_IMAGE),
        (b"%PDF-1.7\n", Reason.NOT_AN_IMAGE),
        (b"RIFF\x10\0\0\0WAVEfmt " + bytes(40), Reason.NOT_AN_IMAGE),
        (b"RIFF\x10\0\0\0WAVE", Reason.NOT_AN_IMAGE),
        (b"BMW is a maker of cars\n", Reason.NOT_AN_IMAGE),
        (b"\0" * 100, Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff", Reason.TRUNCATED),
        (b"\x89PNG\r\n\x1a\n", Reason.TRUNCATED),
        (b"BM", Reason.TRUNCATED),
        (b"GIF89a", Reason.TRUNCATED),
        (b"II*\0", Reason.TRUNCATED),
        (b"II*\0\xff\xff\xff\xff", Reason.TRUNCATED),
        (b"RIFF", Reason.TRUNCATED),
        (png(0, 10), Reason.CORRUPT),
        (gif(10, 0), Reason.CORRUPT),
        (bmp(-5, 5), Reason.CORRUPT),
        (b"\xff\xd8\xff\xda" + bytes(40), Reason.CORRUPT),
        (tiff("<", 5, 7).replace(struct.pack("<H", 257), struct.pack("<H", 300)), Reason.CORRUPT),
    ],
    ids=[
        "empty",
        "text",
        "pdf",
        "wave",
        "short-wave",
        "text-that-starts-like-bmp",
        "zeros",
        "jpeg-magic-only",
        "png-magic-only",
        "bmp-magic-only",
        "gif-magic-only",
        "tiff-magic-only",
        "tiff-directory-beyond-the-end",
        "riff-magic-only",
        "png-of-no-width",
        "gif-of-no-height",
        "bmp-of-negative-width",
        "jpeg-without-frame",
        "tiff-without-height",
    ],
)
def test_unusable_data_has_a_reason(data: bytes, reason: Reason) -> None:
    with pytest.raises(ImageError) as caught:
        Preprocess((8, 8))(data)

    assert caught.value.reason is reason


def test_tiff_that_claims_endless_entries_is_refused() -> None:
    data = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 1 << 63) + bytes(200_000)

    with pytest.raises(ImageError):
        read_header(data)


def test_jpeg_with_endless_segments_is_refused() -> None:
    with pytest.raises(ImageError, match="corrupt"):
        read_header(jpeg(5, 7, segment(0xFE, b"") * 200_000))
