"""A sound file of a kind that is not read is refused by the name of that kind; it is neither corrupt nor black nor noise."""

from collections.abc import Callable

import numpy as np
import pytest

from edgeclf.runtime import ImageError, Preprocess
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.encode import encode_image
from tests.support.encodings import noisy, pillow, png_chunk
from tests.support.tiffs import packed_bits, tiff_of

PREPROCESS = Preprocess((24, 24))
RGB = noisy(side=24)
GREY = RGB[..., 0]


def compressed(number: int) -> bytes:
    return tiff_of(GREY, {259: (number,)})


def jpeg(marker: int, bits: int = 8) -> bytes:
    data = bytearray(pillow(RGB, "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + 4] = marker, bits
    return bytes(data)


def boxes(brand: bytes, *others: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(others)
    return (len(body) + 4).to_bytes(4) + body + bytes(100)


KINDS: dict[str, tuple[Callable[[], bytes], str]] = {
    "signed 16 bits": (lambda: tiff_of(GREY.astype(np.int16)), "TIFF with signed 16-bit samples"),
    "signed 8 bits": (lambda: tiff_of(GREY.astype(np.int8)), "signed 8-bit samples"),
    "signed 32 bits": (lambda: tiff_of(GREY.astype(np.int32)), "signed 32-bit samples"),
    "float16": (lambda: tiff_of(GREY.astype(np.float16)), "floating-point 16-bit samples"),
    "float32": (lambda: tiff_of(GREY.astype(np.float32)), "floating-point 32-bit samples"),
    "float32 in colour": (lambda: tiff_of(RGB.astype(np.float32)), "floating-point 32-bit samples"),
    "float64": (lambda: tiff_of(GREY.astype(np.float64)), "floating-point 64-bit samples"),
    "complex": (lambda: tiff_of(GREY.astype(np.complex64)), "complex 64-bit samples"),
    "32 bits": (lambda: tiff_of(GREY.astype(np.uint32)), "TIFF with 32-bit samples"),
    "4 bits": (lambda: tiff_of(GREY, {258: (4,)}, bytes(24 * 12)), "4-bit samples"),
    "five channels": (lambda: tiff_of(np.dstack([RGB, GREY, GREY]), {338: (0, 0)}), "TIFF with 5 channels"),
    "CMYK in 16 bits": (lambda: tiff_of(np.dstack([RGB, GREY]).astype(np.uint16), {262: (5,)}), "CMYK in 16 bits"),
    "sensor": (lambda: tiff_of(GREY, {262: (32803,)}), "raw sensor colours"),
    "Zstandard": (lambda: compressed(50000), "Zstandard compression"),
    "LZMA": (lambda: compressed(34925), "LZMA compression"),
    "JPEG XL inside": (lambda: compressed(50002), "JPEG XL compression"),
    "JPEG 2000 inside": (lambda: compressed(34712), "JPEG 2000 compression"),
    "unknown compression": (lambda: compressed(9), r"unknown compression \(number 9\)"),
    "12-bit JPEG": (lambda: jpeg(0xC1, 12), "JPEG with 12 bits a channel"),
    "lossless JPEG": (lambda: jpeg(0xC3), "JPEG with lossless compression"),
    "hierarchical JPEG": (lambda: jpeg(0xC5), "JPEG with hierarchical compression"),
    "HEIC": (lambda: boxes(b"heic", b"mif1"), "a HEIC image"),
    "HEIC of Apple": (lambda: boxes(b"mif1", b"heic"), "a HEIC image"),
    "HEIF": (lambda: boxes(b"mif1"), "a HEIF image"),
    "AVIF": (lambda: pillow(RGB, "AVIF"), "an AVIF image"),
    "JPEG 2000": (lambda: pillow(RGB, "JPEG2000"), "a JPEG 2000 image"),
    "JPEG 2000 stream": (lambda: b"\xff\x4f\xff\x51" + bytes(40), "a JPEG 2000 image"),
    "JPEG XL": (lambda: b"\xff\x0a" + bytes(40), "a JPEG XL image"),
    "JPEG XL in boxes": (lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "a JPEG XL image"),
    "PNG of Apple": (lambda: pillow(RGB, "PNG").replace(b"\0\0\0\rIHDR", b"\0\0\0\4CgBI"), "Apple's own kind"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_that_is_not_read_is_named_with_what_to_do(name: str) -> None:
    make, message = KINDS[name]

    with pytest.raises(ImageError, match=f"{message}.*which is not read; convert it to") as caught:
        PREPROCESS(make())

    assert caught.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "data", [boxes(b"isom"), boxes(b"mp42"), b"\xff\xff" + bytes(40), b"\0\0\0\x18ftyp"], ids=["mp4", "mp42", "bytes", "cut"]
)
def test_anything_else_is_still_no_image(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        PREPROCESS(data)

    assert caught.value.reason is Reason.NOT_AN_IMAGE


def test_an_arithmetic_jpeg_is_read() -> None:
    assert PREPROCESS(jpeg(0xC9)).shape == (24, 24, 3)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_tiff_of_10_to_14_bits_keeps_its_upper_8(bits: int) -> None:
    data = tiff_of(GREY, {258: (bits,)}, packed_bits(GREY, bits))

    np.testing.assert_array_equal(PREPROCESS(data)[..., 0], GREY)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_16_bit_tiff_that_states_a_smaller_range_fills_all_levels(bits: int) -> None:
    values = GREY.astype(np.uint16) << (bits - 8)

    np.testing.assert_array_equal(PREPROCESS(tiff_of(values, {281: ((1 << bits) - 1,)}))[..., 0], GREY)


def test_values_above_the_range_that_a_tiff_states_are_white() -> None:
    values = np.full((24, 24), 5000, np.uint16)

    np.testing.assert_array_equal(PREPROCESS(tiff_of(values, {281: (4095,)})), 255)


@pytest.mark.parametrize("maximum", [3000, 4094, 40_000, 65_535])
def test_a_maximum_that_is_no_range_changes_nothing(maximum: int) -> None:
    values = GREY.astype(np.uint16) * 257

    np.testing.assert_array_equal(PREPROCESS(tiff_of(values, {281: (maximum,)}))[..., 0], GREY)


def test_the_significant_bits_of_a_png_are_its_upper_ones_as_the_standard_says() -> None:
    data = encode_image(GREY.astype(np.uint16) << 8)
    place = data.index(b"IDAT") - 4

    pixels = PREPROCESS(data[:place] + png_chunk(b"sBIT", b"\x0c") + data[place:])

    np.testing.assert_array_equal(pixels[..., 0], GREY)
