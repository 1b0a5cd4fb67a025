"""`pillow-*` gives Pillow's bytes, without Pillow."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgeclf.runtime import Preprocess
from edgeclf.runtime.images.pillow_resize import resize_as_pillow
from edgeclf.runtime.images.pillow_weights import PillowFilter
from edgeclf.runtime.images.preprocess import Resize

Encode = Callable[..., bytes]
Pixels = NDArray[np.uint8]
FILTERS: tuple[PillowFilter, ...] = get_args(PillowFilter)
SIZES = [(224, 224), (256, 341), (96, 96), (480, 640), (7, 300), (1, 1)]


def photograph(height: int, width: int, channels: int = 3) -> Pixels:
    """Shapes, gradients and grain, with much pure black and white, where the weights below 0 overshoot."""
    rng = np.random.default_rng((height, width))
    shapes = cv2.resize(rng.integers(-200, 456, (5, 7, 3)).astype(np.float32), (width, height))
    grain = rng.integers(-40, 41, (height, width, 3))
    pixels = np.clip(shapes.reshape(height, width, 3) + grain, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels[..., :channels])


def by_pillow(pixels: Pixels, size_hw: tuple[int, int], name: str, **options: Any) -> Pixels:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized = image.resize(size_hw[::-1], Image.Resampling[name.upper()], **options)
    return np.asarray(resized).reshape(*size_hw, -1)


def resampling(resize: str) -> Image.Resampling:
    return Image.Resampling[resize.removeprefix("pillow-").upper()]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size_hw", SIZES, ids=str)
@pytest.mark.parametrize("channels", [3, 1], ids=["colour", "grey"])
@pytest.mark.parametrize("stored_hw", [(375, 500), (333, 217), (31, 1600)], ids=str)
def test_bytes_are_those_of_pillow(
    name: PillowFilter, size_hw: tuple[int, int], channels: int, stored_hw: tuple[int, int]
) -> None:
    pixels = photograph(*stored_hw, channels)

    np.testing.assert_array_equal(resize_as_pillow(pixels, size_hw, name), by_pillow(pixels, size_hw, name))


@pytest.mark.parametrize("seed", range(200))
def test_bytes_of_any_size_are_those_of_pillow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width, target_h, target_w = (int(side) for side in np.exp(rng.uniform(0, 6, 4)))
    name = FILTERS[seed % 4]
    pixels = rng.integers(0, 256, (height, width, int(rng.choice((1, 3)))), dtype=np.uint8)

    resized = resize_as_pillow(pixels, (target_h, target_w), name)

    np.testing.assert_array_equal(resized, by_pillow(pixels, (target_h, target_w), name))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("pattern", ["two levels", "halves", "noise"])
@pytest.mark.parametrize(
    ("side", "target"),
    [(2, 3), (2, 1), (4, 1), (6, 1), (8, 1), (3, 4), (4, 3), (5, 2), (1, 6), (14, 1), (12, 5)],
    ids=lambda part: str(part),
)
def test_sums_near_a_half_are_rounded_as_pillow_does(name: PillowFilter, pattern: str, side: int, target: int) -> None:
    levels = {"two levels": (0, 255), "halves": (100, 101), "noise": tuple(range(256))}[pattern]
    pixels = np.random.default_rng(side).choice(levels, (side * 60, side * 60, 3)).astype(np.uint8)
    size_hw = target * 60, target * 60

    np.testing.assert_array_equal(resize_as_pillow(pixels, size_hw, name), by_pillow(pixels, size_hw, name))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("stored_hw", [(1, 20_000), (20_000, 1), (3, 9_000)], ids=str)
def test_bytes_of_a_very_long_side_are_those_of_pillow(name: PillowFilter, stored_hw: tuple[int, int]) -> None:
    pixels = photograph(*stored_hw)

    np.testing.assert_array_equal(resize_as_pillow(pixels, (3, 5), name), by_pillow(pixels, (3, 5), name))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size_hw", [(224, 224), (100, 30), (375, 500), (375, 20), (600, 500)], ids=str)
def test_part_of_the_image_is_resized_as_by_pillow(name: PillowFilter, size_hw: tuple[int, int]) -> None:
    pixels = photograph(375, 500)
    top, left, bottom, right = 20.3, 10.7, 371.9, 480.25

    resized = resize_as_pillow(pixels, size_hw, name, (top, left, bottom, right))

    np.testing.assert_array_equal(resized, by_pillow(pixels, size_hw, name, box=(left, top, right, bottom)))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size_hw", [(256, 341), (375, 341), (256, 500), (375, 500)], ids=str)
def test_part_of_the_result_has_the_same_bytes_as_in_the_whole(name: PillowFilter, size_hw: tuple[int, int]) -> None:
    pixels = photograph(375, 500)

    part = resize_as_pillow(pixels, size_hw, name, cut=(16, 58, 240, 282))

    np.testing.assert_array_equal(part, by_pillow(pixels, size_hw, name)[16:240, 58:282])


def test_threads_that_resize_at_once_get_the_right_bytes() -> None:
    images = [photograph(100 + number, 150 - number) for number in range(40)]

    with ThreadPoolExecutor(4) as pool:
        resized = list(pool.map(lambda pixels: resize_as_pillow(pixels, (64, 64), "bicubic"), images))

    for pixels, result in zip(images, resized, strict=True):
        np.testing.assert_array_equal(result, by_pillow(pixels, (64, 64), "bicubic"))


RESIZES: tuple[Literal["pillow-bilinear", "pillow-bicubic", "pillow-lanczos", "pillow-box"], ...] = (
    "pillow-bilinear",
    "pillow-bicubic",
    "pillow-lanczos",
    "pillow-box",
)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size_hw", [(224, 224), (60, 130), (130, 60), (500, 500)], ids=str)
@pytest.mark.parametrize("stored_hw", [(375, 500), (301, 100), (224, 224), (60, 13_000)], ids=str)
def test_crop_is_pillows_fit(resize: Resize, size_hw: tuple[int, int], stored_hw: tuple[int, int]) -> None:
    pixels = photograph(*stored_hw)

    cropped = Preprocess(size_hw, resize=resize, fit="crop")(pixels)

    fitted = ImageOps.fit(Image.fromarray(pixels), size_hw[::-1], resampling(resize))
    np.testing.assert_array_equal(cropped, np.asarray(fitted))


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("orientation", [1, 6, 3, 7])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("channels", [3, 1])
def test_jpeg_is_turned_made_grey_and_resized_as_by_pillow(
    resize: Resize, orientation: int, mode: str, channels: Literal[1, 3], encode: Encode
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    pixels = photograph(333, 500)
    data = encode(pixels if mode == "RGB" else pixels[..., 0], "JPEG", quality=90, exif=exif)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB" if channels == 3 else "L")

    resized = Preprocess((224, 200), channels, resize)(data)

    expected = np.asarray(image.resize((200, 224), resampling(resize))).reshape(224, 200, channels)
    np.testing.assert_array_equal(resized, expected)
