"""Which part of an image is used. The sizes and corners are those of torchvision 0.28 and timm 1.0 for the same images."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeclf.runtime import Preprocess
from edgeclf.runtime.errors import ImageError, OptionError
from edgeclf.runtime.images.decode import Channels
from edgeclf.runtime.images.geometry import CropOffset, Fit, lay_out_larger
from edgeclf.runtime.images.preprocess import Resize


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng((height, width)).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("fit", "image_hw", "size_hw", "crop_pct", "resized_hw", "corner"),
    [
        ("crop", (375, 500), (224, 224), 0.875, (256, 341), (16, 58)),
        ("crop", (500, 375), (224, 224), 0.875, (341, 256), (58, 16)),
        ("crop", (375, 381), (224, 224), 1.0, (224, 227), (0, 2)),
        ("crop", (301, 100), (224, 224), 0.95, (707, 235), (242, 6)),
        ("crop", (375, 500), (224, 224), 224 / 232, (232, 309), (4, 42)),
        ("crop", (375, 500), (200, 224), 0.875, (228, 304), (14, 40)),
        ("stretch", (375, 500), (224, 224), 0.875, (256, 256), (16, 16)),
        ("stretch", (333, 217), (96, 160), 0.97, (98, 164), (1, 2)),
        ("pad", (375, 500), (224, 224), 0.875, (192, 256), (0, 16)),
        ("pad", (90, 333), (96, 96), 0.9, (29, 106), (0, 5)),
        ("pad", (37, 41), (96, 96), 1.0, (87, 96), (0, 0)),
    ],
    ids=str,
)
def test_sizes_and_corners_are_those_of_torchvision_and_timm(
    fit: Fit,
    image_hw: tuple[int, int],
    size_hw: tuple[int, int],
    crop_pct: float,
    resized_hw: tuple[int, int],
    corner: tuple[int, int],
) -> None:
    layout = lay_out_larger(image_hw, size_hw, fit, crop_pct, "round")

    assert (layout.resized_hw, layout.cut[:2]) == (resized_hw, corner)


@pytest.mark.parametrize(("offset", "left"), [("floor", 1), ("round", 2)])
def test_left_over_column_of_an_odd_border_goes_where_the_card_says(offset: CropOffset, left: int) -> None:
    pixels = noise(224, 227)

    cropped = Preprocess((224, 224), fit="crop", crop_pct=1.0, crop_offset=offset)(pixels)

    np.testing.assert_array_equal(cropped, pixels[:, left : left + 224])


@pytest.mark.parametrize("offset", ["floor", "round"])
def test_first_border_is_never_the_wider_one(offset: CropOffset) -> None:
    pixels = np.full((37, 41, 3), 9, np.uint8)

    padded = Preprocess((41, 41), fit="pad", crop_pct=1.0, crop_offset=offset, pad_color=(200, 100, 0))(pixels)

    np.testing.assert_array_equal(padded[:, 0].tolist(), [[200, 100, 0]] * 2 + [[9] * 3] * 37 + [[200, 100, 0]] * 2)
    odd = Preprocess((40, 41), fit="pad", crop_pct=1.0, crop_offset=offset, pad_color=(7,))(pixels)
    np.testing.assert_array_equal(odd[:, 0, 0].tolist(), [7] + [9] * 37 + [7] * 2)


def test_centre_of_the_resized_image_is_that_of_pillow() -> None:
    pixels = noise(375, 500)

    cropped = Preprocess((224, 224), 3, "pillow-bicubic", "crop", crop_pct=0.875, crop_offset="round")(pixels)

    whole = np.asarray(Image.fromarray(pixels).resize((341, 256), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(cropped, whole[16:240, 58:282])


@pytest.mark.parametrize(
    ("resize", "interpolation"),
    [("opencv-bilinear", cv2.INTER_LINEAR), ("area", cv2.INTER_AREA), ("nearest", cv2.INTER_NEAREST_EXACT)],
)
def test_whole_image_is_resized_before_it_is_cropped(resize: Resize, interpolation: int) -> None:
    pixels = noise(375, 500)

    cropped = Preprocess((224, 224), 3, resize, "crop", crop_pct=0.875)(pixels)

    np.testing.assert_array_equal(cropped, cv2.resize(pixels, (341, 256), interpolation=interpolation)[16:240, 58:282])


def test_shrink_halves_no_further_than_the_resized_image() -> None:
    pixels = noise(600, 600)  # for 224 it would be halved once, for 320 it is not

    cropped = Preprocess((224, 224), fit="crop", crop_pct=0.7)(pixels)

    whole = cv2.resize(pixels, (320, 320), interpolation=cv2.INTER_LINEAR_EXACT)
    np.testing.assert_array_equal(cropped, whole[48:272, 48:272])


@pytest.mark.parametrize("resize", ["pillow-lanczos", "pillow-box"])
def test_crop_of_an_extremely_long_image_takes_no_memory_for_the_rest(resize: Resize) -> None:
    pixels = np.full((1, 100_000, 3), 90, np.uint8)

    cropped = Preprocess((224, 224), 3, resize, "crop", crop_pct=0.875)(pixels)

    np.testing.assert_array_equal(cropped, np.full((224, 224, 3), 90))


@pytest.mark.parametrize("resize", ["shrink", "bilinear", "area", "opencv-bilinear"])
def test_image_that_would_become_gigantic_is_an_image_error(resize: Resize) -> None:
    with pytest.raises(ImageError, match="25600000 x 256 pixels"):
        Preprocess((224, 224), 3, resize, "crop", crop_pct=0.875)(np.zeros((1, 100_000, 3), np.uint8))


def test_pad_color_is_around_the_image() -> None:
    padded = Preprocess((8, 8), 3, "nearest", "pad", pad_color=(1, 2, 3))(np.full((4, 8, 3), 9, np.uint8))

    np.testing.assert_array_equal(padded[:, 0], [[1, 2, 3]] * 2 + [[9, 9, 9]] * 4 + [[1, 2, 3]] * 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_table_replaces_the_levels_of_all_channels_and_of_borders(channels: Channels) -> None:
    inverted = tuple(range(255, -1, -1))
    pixels = noise(4, 8)[..., :channels]

    replaced = Preprocess((8, 8), channels, fit="pad", pad_color=(7,), levels=(inverted,))(pixels)

    np.testing.assert_array_equal(replaced, 255 - Preprocess((8, 8), channels, fit="pad", pad_color=(7,))(pixels))


def test_each_channel_has_its_own_table() -> None:
    tables = (tuple(range(256)), tuple(range(255, -1, -1)), (5,) * 256)
    pixels = noise(8, 8)

    replaced = Preprocess((8, 8), levels=tables)(pixels)

    np.testing.assert_array_equal(replaced[..., 0], pixels[..., 0])
    np.testing.assert_array_equal(replaced[..., 1], 255 - pixels[..., 1])
    np.testing.assert_array_equal(replaced[..., 2], np.full((8, 8), 5))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crop_pct": 0}, "crop_pct must be a number above 0 and at most 1, not 0"),
        ({"crop_pct": 1.01}, "not 1.01"),
        ({"crop_pct": math.nan}, "not nan"),
        ({"crop_pct": True}, "not True"),
        ({"crop_pct": "0.9"}, "not '0.9'"),
        ({"crop_pct": 1e-3}, "8,192 pixels; 0.001 makes 32,000"),
        ({"crop_offset": "ceil"}, "crop_offset cannot be 'ceil'; choose from floor, round, lobe"),
        ({"pad_color": ()}, r"pad_color must be 1 or 3 levels from 0 to 255, not \(\)"),
        ({"pad_color": (1, 2)}, r"not \(1, 2\)"),
        ({"pad_color": (256,)}, "not"),
        ({"pad_color": (True,)}, "not"),
        ({"pad_color": (1.0,)}, "not"),
        ({"channels": 1, "pad_color": (1, 2, 3)}, "pad_color must be 1 level from"),
        ({"levels": ()}, "levels must be 1 or 3 tables of 256"),
        ({"levels": ((0,) * 255,)}, "levels must be 1 or 3 tables of 256"),
        ({"levels": ((-1,) * 256,)}, "levels must be"),
        ({"levels": ((0,) * 256,) * 2}, "levels must be"),
        ({"channels": 1, "levels": ((0,) * 256,) * 3}, "levels must be 1 table of"),
    ],
    ids=str,
)
def test_invalid_field_is_refused_with_its_value(fields: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Preprocess(**{"size_hw": (32, 32)} | fields)  # type: ignore[arg-type]


def test_all_fields_are_in_the_card() -> None:
    levels = ((1,) * 256, (2,) * 256, (3,) * 256)
    preprocess = Preprocess((32, 48), 3, "pillow-box", "pad", "none", 0.9, "round", (1, 2, 3), levels)

    assert Preprocess.from_json(preprocess.to_json()) == preprocess


def test_older_card_has_the_defaults() -> None:
    fields = {"size_hw": [32, 48], "channels": 3, "resize": "shrink", "fit": "crop", "ground": "white"}

    assert Preprocess.from_json(fields) == Preprocess((32, 48), fit="crop")
