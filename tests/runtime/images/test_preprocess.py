"""`Preprocess`: how it resizes, its geometry, and its extremes. Its parity with Keras: `tests/train/data`."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import Classifier, Preprocess
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Channels, Ground
from edgeclf.runtime.images.preprocess import Fit, Resize

Encode = Callable[..., bytes]
RESIZES: tuple[Resize, ...] = get_args(Resize)
FITS: tuple[Fit, ...] = ("stretch", "crop", "pad")
GROUNDS: tuple[Ground, ...] = ("white", "black", "none")


def noise(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(size_hw).integers(0, 256, (*size_hw, 3), dtype=np.uint8)


def photo(height: int, width: int, grain: int = 60) -> NDArray[np.uint8]:
    """Smooth shapes with fine grain, like a photograph; careless sampling makes the grain alias."""
    rng = np.random.default_rng(3)
    shapes = cv2.resize(rng.integers(0, 256, (height // 80, width // 80, 3), dtype=np.uint8), (width, height))
    return np.clip(shapes.astype(int) + rng.integers(-grain, grain + 1, shapes.shape), 0, 255).astype(np.uint8)


def mean_difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize("resize", RESIZES)
def test_image_of_the_right_size_is_unchanged(resize: Resize) -> None:
    pixels = noise((32, 48))

    np.testing.assert_array_equal(Preprocess((32, 48), resize=resize)(pixels), pixels)


@pytest.mark.parametrize("size_hw", [(224, 224), (100, 300)], ids=["square", "wide"])
def test_shrink_of_a_large_image_is_close_to_area(size_hw: tuple[int, int]) -> None:
    large = photo(1200, 1600)

    assert mean_difference(Preprocess(size_hw, resize="shrink")(large), Preprocess(size_hw, resize="area")(large)) < 6


def test_bilinear_of_a_large_image_is_far_from_area() -> None:
    large = photo(1200, 1600)

    assert (
        mean_difference(Preprocess((224, 224), resize="bilinear")(large), Preprocess((224, 224), resize="area")(large)) > 12
    )


@pytest.mark.parametrize("side", [600, 300, 150, 75], ids=["half", "quarter", "eighth", "sixteenth"])
def test_shrink_by_a_power_of_two_is_the_mean_of_the_blocks(side: int) -> None:
    large = photo(1200, 1200)
    factor = 1200 // side
    blocks = large.reshape(side, factor, side, factor, 3).mean((1, 3))

    assert np.abs(Preprocess((side, side))(large) - blocks).max() <= 2


@pytest.mark.parametrize("side", [600, 450, 224, 100, 32], ids=lambda side: f"to-{side}")
def test_jpeg_shrunk_in_its_dct_is_close_to_shrinking_its_pixels(side: int, encode: Encode, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encode(photo(1200, 1600, grain=20), "JPEG", quality=92))
    preprocess = Preprocess((side, side))

    in_full = np.asarray(Image.open(path))

    assert mean_difference(preprocess(path), preprocess(in_full)) < 2


@pytest.mark.parametrize("resize", RESIZES[1:])
def test_only_shrink_reduces_a_jpeg_while_decoding(resize: Resize, encode: Encode) -> None:
    data = encode(photo(640, 640), "JPEG")
    in_full = Preprocess((640, 640))(data)
    preprocess = Preprocess((64, 64), resize=resize)

    np.testing.assert_array_equal(preprocess(data), preprocess(in_full))


def test_shrink_keeps_every_pixel_of_an_image_below_twice_the_size() -> None:
    pixels = noise((63, 63))

    np.testing.assert_array_equal(
        Preprocess((32, 32))(pixels), cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_LINEAR_EXACT)
    )


@pytest.mark.parametrize("resize", RESIZES)
def test_stretch_uses_the_whole_image(resize: Resize, scene: NDArray[np.uint8]) -> None:
    pixels = Preprocess((8, 8), resize=resize)(scene)

    corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_array_equal(corners, scene[[0, 0, -1, -1], [0, -1, 0, -1]])


@pytest.mark.parametrize("resize", [resize for resize in RESIZES if not resize.startswith("pillow")])
@pytest.mark.parametrize("size_hw", [(10, 30), (30, 10), (20, 20)], ids=["wide", "high", "square"])
def test_crop_keeps_the_centre(resize: Resize, size_hw: tuple[int, int]) -> None:
    pixels = np.zeros((60, 60, 3), np.uint8)
    height, width = (60 * side // max(size_hw) for side in size_hw)
    top, left = (60 - height) // 2, (60 - width) // 2
    pixels[top : top + height, left : left + width] = 200

    np.testing.assert_array_equal(Preprocess(size_hw, resize=resize, fit="crop")(pixels), np.full((*size_hw, 3), 200))


def test_crop_of_a_wide_image_drops_left_and_right() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = noise((20, 20))

    np.testing.assert_array_equal(Preprocess((20, 20), fit="crop")(pixels), pixels[:, 20:40])


@pytest.mark.parametrize("resize", RESIZES)
def test_pad_puts_black_above_and_below_a_wide_image(resize: Resize) -> None:
    wide = np.full((30, 60, 3), 200, np.uint8)
    expected = np.zeros((20, 20, 3), np.uint8)
    expected[5:15] = 200

    np.testing.assert_array_equal(Preprocess((20, 20), resize=resize, fit="pad")(wide), expected)


def test_pad_puts_black_left_and_right_of_a_high_image() -> None:
    expected = np.zeros((20, 20, 3), np.uint8)
    expected[:, 5:15] = 200

    np.testing.assert_array_equal(Preprocess((20, 20), fit="pad")(np.full((60, 30, 3), 200, np.uint8)), expected)


@pytest.mark.parametrize("stored_hw", [(1, 1), (1, 100_000), (100_000, 1), (2, 3), (3, 5_000)], ids=str)
def test_extreme_sizes_keep_their_colour(stored_hw: tuple[int, int]) -> None:
    sizes = [(1, 1), (1, 500), (500, 1), (32, 32)]
    for size_hw, resize, fit in itertools.product(sizes, RESIZES, FITS):
        pixels = Preprocess(size_hw, 1, resize, fit)(np.full((*stored_hw, 3), 90, np.uint8))

        assert pixels.shape == (*size_hw, 1), (size_hw, resize, fit)
        assert {90} <= set(np.unique(pixels)) <= ({0, 90} if fit == "pad" else {90}), (size_hw, resize, fit)


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF"])
def test_image_of_one_row_and_100_000_columns_is_read(format_name: str, encode: Encode) -> None:
    pixels = Preprocess((32, 32))(encode(np.full((1, 100_000, 3), 90, np.uint8), format_name))

    np.testing.assert_array_equal(pixels, np.full((32, 32, 3), 90))


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
def test_image_of_a_single_pixel_is_read(format_name: str, encode: Encode) -> None:
    pixels = Preprocess((32, 32))(encode(np.full((1, 1, 3), 90, np.uint8), format_name))

    assert np.abs(pixels.astype(int) - 90).max() <= 2


def test_rgb_array_and_its_file_give_the_same_pixels(encode: Encode) -> None:
    pixels = noise((100, 120))

    np.testing.assert_array_equal(Preprocess((32, 32))(pixels), Preprocess((32, 32))(encode(pixels, "PNG")))


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1)], ids=["two-axes", "three-axes"])
def test_grey_array_becomes_three_equal_channels(shape: tuple[int, ...]) -> None:
    grey = noise((40, 50))[..., 0]

    pixels = Preprocess((40, 50))(grey.reshape(shape))

    np.testing.assert_array_equal(pixels, grey[..., None].repeat(3, 2))


def test_grey_array_for_a_grey_model_is_unchanged() -> None:
    grey = noise((40, 50))[..., :1]

    np.testing.assert_array_equal(Preprocess((40, 50), channels=1)(grey), grey)


def test_view_of_an_array_is_read_correctly() -> None:
    pixels = noise((64, 80))

    np.testing.assert_array_equal(
        Preprocess((32, 32))(pixels[::-2, ::2]), Preprocess((32, 32))(np.ascontiguousarray(pixels[::-2, ::2]))
    )


def test_array_is_not_changed() -> None:
    pixels = noise((64, 64))
    before = pixels.copy()

    Preprocess((32, 32))(pixels)

    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((8, 8, 3), bool),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0), np.uint8),
    ],
    ids=["float", "uint16", "bool", "rgba", "two-channels", "batch", "one-axis", "no-rows", "no-columns"],
)
def test_array_of_another_shape_or_dtype_is_an_option_error(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(OptionError, match="pixels must"):
        Preprocess((8, 8))(pixels)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size_hw": (0, 8)}, "1 to 4096"),
        ({"size_hw": (8, 4097)}, "1 to 4096"),
        ({"size_hw": (8,)}, "two whole numbers"),
        ({"size_hw": (8.0, 8)}, "two whole numbers"),
        ({"channels": 4}, "channels cannot be 4; choose from 1, 3"),
        ({"resize": "lanczos"}, "resize cannot be 'lanczos'; did you mean pillow-lanczos"),
        ({"ground": "green"}, "ground cannot be 'green'; choose from white, black, none"),
        ({"fit": "cover"}, "fit cannot be 'cover'; choose from stretch, crop, pad"),
    ],
    ids=["zero", "too-large", "one-side", "float", "channels", "resize", "ground", "fit"],
)
def test_invalid_option_is_refused_with_its_value(fields: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Preprocess(**{"size_hw": (8, 8)} | fields)  # type: ignore[arg-type]


def test_json_round_trip_gives_the_same_preprocess() -> None:
    channels: tuple[Channels, ...] = (1, 3)
    all_kinds = [Preprocess((32, 48), *options) for options in itertools.product(channels, RESIZES, FITS, GROUNDS)]

    assert [Preprocess.from_json(preprocess.to_json()) for preprocess in all_kinds] == all_kinds


def test_preprocess_of_an_exported_model_is_that_of_its_training(classifier: Classifier) -> None:
    assert classifier.card.preprocess == Preprocess((32, 32))
