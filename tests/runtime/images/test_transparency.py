"""What is transparent shows the ground; what is opaque is as it was stored."""

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import Preprocess
from edgeclf.runtime.images.decode import Channels, Ground
from edgeclf.runtime.images.encode import encode_image
from tests.support.encodings import noisy, pillow, png_chunk, png_of
from tests.support.tiffs import tiff_of

Pixels = NDArray[np.uint8]
SIDE = 24
TRANSPARENT, HALF, OPAQUE = slice(0, 8), slice(8, 16), slice(16, 24)
"""The rows of a drawing."""
INK = (30, 60, 90)
LEVELS: dict[Ground, int] = {"white": 255, "black": 0}
CHANNELS: tuple[Channels, ...] = (1, 3)


def drawing(*ink: int) -> Pixels:
    """uint8 `[24, 24, 4]` RGBA, or `[24, 24, 2]` grey with alpha, of one colour."""
    alpha = np.repeat(np.array([0, 128, 255], np.uint8), 8)[:, None, None]
    colours = np.broadcast_to(np.array(ink, np.uint8), (SIDE, SIDE, len(ink)))
    return np.concatenate([colours, np.broadcast_to(alpha, (SIDE, SIDE, 1))], 2)


DRAWING = drawing(*INK)
PREMULTIPLIED = np.dstack([np.rint(DRAWING[..., :3] * (DRAWING[..., 3:] / 255)).astype(np.uint8), DRAWING[..., 3]])


def deep(pixels: Pixels) -> NDArray[np.uint16]:
    return pixels.astype(np.uint16) * 257


def png(pixels: NDArray[Any], colour: int, *chunks: bytes, depth: int = 8) -> bytes:
    """A PNG of rows that are packed already. chunks: what stands before its pixels."""
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)
    file = png_of(SIDE, SIDE, rows, depth=depth, colour=colour)
    place = file.index(b"IDAT") - 4
    return file[:place] + b"".join(chunks) + file[place:]


def rows_of(*values: int, dtype: type[Any] = np.uint8) -> NDArray[Any]:
    """`[24, 24, ...]`: each value for a third of the rows."""
    return np.repeat(np.array(values, dtype), 8)[:, None].repeat(SIDE, 1)


def palette_png() -> bytes:
    return png(rows_of(0, 1, 2), 3, png_chunk(b"PLTE", bytes(INK) * 3), png_chunk(b"tRNS", bytes((0, 128, 255))))


WITH_ALPHA: dict[str, Callable[[], bytes]] = {
    "png": lambda: pillow(DRAWING, "PNG"),
    "png-16": lambda: encode_image(deep(DRAWING)),
    "png-palette": palette_png,
    "png-animated": lambda: pillow(
        DRAWING, "PNG", save_all=True, append_images=[Image.new("RGBA", (SIDE, SIDE), (9, 9, 9, 9))]
    ),
    "webp": lambda: pillow(DRAWING, "WEBP", quality=100, exact=True),
    "webp-lossless": lambda: pillow(DRAWING, "WEBP", lossless=True, exact=True),
    "webp-animated": lambda: pillow(
        DRAWING, "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGBA", (SIDE, SIDE), (9, 9, 9, 9))]
    ),
    "bmp": lambda: encode_image(DRAWING, ".bmp"),
    "tiff": lambda: tiff_of(DRAWING, {338: (2,)}),
    "tiff-lzw": lambda: pillow(DRAWING, "TIFF", compression="tiff_lzw"),
    "tiff-premultiplied": lambda: tiff_of(PREMULTIPLIED, {338: (1,)}),
    "tiff-untagged": lambda: tiff_of(DRAWING),
    "tiff-16": lambda: tiff_of(deep(DRAWING), {338: (2,)}),
    "tiff-16-premultiplied": lambda: tiff_of(deep(PREMULTIPLIED), {338: (1,)}),
    "tiff-16-untagged": lambda: tiff_of(deep(DRAWING)),
}
GREY_WITH_ALPHA: dict[str, Callable[[], bytes]] = {
    "png": lambda: pillow(drawing(60), "PNG"),
    "png-16": lambda: png(deep(drawing(60)), 4, depth=16),
}


def gif(**options: object) -> bytes:
    image = Image.fromarray(rows_of(0, 1, 1), "P")
    image.putpalette([8, 8, 8, 60, 60, 60])
    file = io.BytesIO()
    image.save(file, "GIF", transparency=0, **options)
    return file.getvalue()


def key(*levels: int) -> bytes:
    """The chunk of a PNG that makes one colour transparent."""
    return png_chunk(b"tRNS", struct.pack(f">{len(levels)}H", *levels))


RGB = rows_of(8, 60, 60)[..., None].repeat(3, 2)
GREY_16 = rows_of(8, 60 * 257, 60 * 257, dtype=np.uint16)
WITH_TRANSPARENT_COLOUR: dict[str, Callable[[], bytes]] = {
    "png-rgb": lambda: png(RGB, 2, key(8, 8, 8)),
    "png-rgb-16": lambda: png(deep(RGB), 2, key(*[8 * 257] * 3), depth=16),
    "png-grey": lambda: png(rows_of(8, 60, 60), 0, key(8)),
    "png-grey-16": lambda: png(GREY_16, 0, key(8), depth=16),
    "png-grey-4-bits": lambda: png(rows_of(0x33, 0x44, 0x44)[:, : SIDE // 2], 0, key(3), depth=4),
    "gif": gif,
    "gif-animated": lambda: gif(save_all=True, append_images=[Image.new("P", (SIDE, SIDE), 1)]),
}
"""The first third is transparent; the rest is grey, of level 60, or 4 of 15."""


def preprocess(channels: Channels = 3, ground: Ground = "white") -> Preprocess:
    return Preprocess((SIDE, SIDE), channels, ground=ground)


def expected(ink: tuple[int, ...], level: int) -> NDArray[np.float64]:
    """float `[24, 1, channels]`, by the definition of alpha."""
    alpha = np.repeat([0, 128 / 255, 1], 8)[:, None, None]
    return np.array(ink) * alpha + level * (1 - alpha)


def luma(ink: tuple[int, ...]) -> int:
    return round(float(np.dot(ink, (0.299, 0.587, 0.114))))


@pytest.mark.parametrize("ground", LEVELS)
@pytest.mark.parametrize("name", WITH_ALPHA)
def test_what_is_transparent_shows_the_ground(name: str, ground: Ground) -> None:
    data = WITH_ALPHA[name]()

    in_colour, in_grey = preprocess(3, ground)(data), preprocess(1, ground)(data)

    assert np.abs(in_colour - expected(INK, LEVELS[ground])).max() <= 3
    assert np.abs(in_grey - expected((luma(INK),), LEVELS[ground])).max() <= 3


@pytest.mark.parametrize("name", GREY_WITH_ALPHA)
def test_transparent_grey_shows_the_ground(name: str) -> None:
    data = GREY_WITH_ALPHA[name]()

    assert np.abs(preprocess(3)(data) - expected((60,) * 3, 255)).max() <= 1
    assert np.abs(preprocess(1)(data) - expected((60,), 255)).max() <= 1


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", WITH_TRANSPARENT_COLOUR)
def test_a_colour_that_is_declared_transparent_shows_the_ground(name: str, channels: Channels) -> None:
    pixels = preprocess(channels)(WITH_TRANSPARENT_COLOUR[name]())

    level = 0x44 if name == "png-grey-4-bits" else 60
    np.testing.assert_array_equal(pixels[TRANSPARENT], 255)
    np.testing.assert_array_equal(pixels[8:], level)


def test_a_black_drawing_on_a_transparent_ground_is_no_black_square() -> None:
    pixels = preprocess()(pillow(drawing(0, 0, 0), "PNG"))

    assert (pixels[TRANSPARENT].min(), pixels[OPAQUE].max()) == (255, 0)


@pytest.mark.parametrize("name", ["png", "webp-lossless", "bmp"])
def test_without_a_ground_the_hidden_colours_are_taken(name: str) -> None:
    pixels = preprocess(ground="none")(WITH_ALPHA[name]())

    np.testing.assert_array_equal(pixels, np.broadcast_to(INK, (SIDE, SIDE, 3)))


def test_decoded_pixels_have_no_alpha_and_no_ground() -> None:
    pixels = noisy(side=SIDE)

    np.testing.assert_array_equal(preprocess()(pixels), pixels)


OPAQUE_KINDS: dict[str, Callable[[Pixels], bytes]] = {
    "png": lambda pixels: pillow(pixels, "PNG"),
    "png-16": lambda pixels: encode_image(deep(pixels)),
    "webp": lambda pixels: pillow(pixels, "WEBP", lossless=True),
    "bmp": lambda pixels: encode_image(pixels, ".bmp"),
    "tiff": lambda pixels: pillow(pixels, "TIFF"),
    "tiff-16": lambda pixels: encode_image(deep(pixels), ".tiff"),
}


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", OPAQUE_KINDS)
def test_an_opaque_image_with_alpha_is_the_same_on_every_ground(name: str, channels: Channels) -> None:
    data = OPAQUE_KINDS[name](np.dstack([noisy(side=SIDE), np.full((SIDE, SIDE), 255, np.uint8)]))

    dropped = preprocess(channels, "none")(data)

    np.testing.assert_array_equal(preprocess(channels, "white")(data), dropped)
    np.testing.assert_array_equal(preprocess(channels, "black")(data), dropped)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format_name", "options"), [("PNG", {}), ("WEBP", {"lossless": True})], ids=["png", "webp"])
def test_an_image_with_alpha_is_turned_by_exif_as_one_without(
    format_name: str, options: dict[str, object], orientation: int, channels: Channels
) -> None:
    block = Image.Exif()
    block[274] = orientation
    colours = noisy(side=32)[:, :20]
    alpha = np.full((32, 20), 255, np.uint8)
    alpha[0, 0] = 0
    shown = colours.copy()
    shown[0, 0] = 255
    upright = Preprocess((20, 32) if orientation >= 5 else (32, 20), channels)

    turned = upright(pillow(np.dstack([colours, alpha]), format_name, exif=block, exact=True, **options))

    without_alpha = upright(pillow(shown, format_name, exif=block, **options))
    assert np.abs(turned.astype(int) - without_alpha).max() <= (1 if channels == 1 else 0)


def test_a_fourth_channel_that_is_no_alpha_is_ignored() -> None:
    near_infrared = np.dstack([noisy(side=SIDE), noisy(side=SIDE, seed=1)[..., 0]])

    np.testing.assert_array_equal(preprocess()(tiff_of(near_infrared, {338: (0,)})), near_infrared[..., :3])


def test_the_fourth_byte_of_a_plain_bmp_is_no_alpha() -> None:
    pixels = noisy(side=SIDE)

    np.testing.assert_array_equal(preprocess()(pillow(pixels, "BMP", "RGBA")), pixels)
