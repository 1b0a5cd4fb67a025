"""The heatmap over an image: at the right place whatever preprocessing cut off or added, and readable in grey."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.drawing.heatmap import hottest, lay_over
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess

GREY = 128
CELLS = 8
FITS = {
    "stretch": Preprocess((64, 64)),
    "crop": Preprocess((64, 64), fit="crop"),
    "pad": Preprocess((64, 64), fit="pad", pad_color=(GREY,)),
    "crop of 70 %": Preprocess((64, 64), fit="crop", crop_pct=0.7),
    "Pillow's crop": Preprocess((64, 48), fit="crop", resize="pillow-bicubic"),
    "pad in a wide input": Preprocess((48, 96), fit="pad", pad_color=(GREY,)),
}


def marked(row: int, column: int, height: int, width: int) -> Pixels:
    """A grey image with one white place."""
    image = np.full((height, width, 3), GREY, np.uint8)
    image[row - 12 : row + 12, column - 12 : column + 12] = 255
    return image


def brightness(pixels: Pixels, cells: int = CELLS) -> NDArray[np.float32]:
    """What a model that looks for bright places would return, `[cells, cells]`."""
    found = cv2.resize(pixels.mean(axis=2).astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
    return np.asarray(found, np.float32)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (320, 200)], ids=("wide", "high"))
@pytest.mark.parametrize("preprocess", FITS.values(), ids=FITS)
def test_the_map_lies_where_the_model_looked(preprocess: Preprocess, height: int, width: int) -> None:
    for row, column in ((120, 100), (90, 120), (150, 130)):
        image = marked(row, column, height, width)
        heat = brightness(preprocess(image), 32)

        drawn = lay_over(np.full_like(image, GREY), heat, preprocess)

        warmth = drawn[..., 0].astype(int) - drawn[..., 2]
        at = np.argwhere(warmth == warmth.max()).mean(axis=0)
        assert np.abs(at - (row - 0.5, column - 0.5)).max() < 12


def test_what_was_cut_off_is_dark_and_without_colour() -> None:
    heat = np.arange(CELLS * CELLS, dtype=np.float32).reshape(CELLS, CELLS)

    drawn = lay_over(np.full((100, 200, 3), GREY, np.uint8), heat, FITS["crop"])

    unseen = np.concatenate([drawn[:, :50], drawn[:, 150:]], axis=1)
    assert (unseen == unseen[0, 0, 0]).all()
    assert unseen[0, 0, 0] < GREY / 2
    assert np.ptp(drawn[:, 50:150], axis=2).mean() > 20


def test_the_borders_that_were_added_are_not_on_the_image() -> None:
    """A wide image in a square input: only the middle rows of the map are about it."""
    heat = np.zeros((4, 4), np.float32)
    heat[0], heat[3] = 5, -5  # on the borders

    drawn = lay_over(np.full((100, 200, 3), GREY, np.uint8), heat, FITS["pad"])

    middle = drawn[40:60]
    assert np.abs(middle.astype(int) - middle[0, 0]).max() < 40
    assert (drawn[0, :, 0] > drawn[-1, :, 0]).all()


def test_in_grey_hotter_is_lighter() -> None:
    heat = np.linspace(-3, 7, 16, dtype=np.float32)[None].repeat(16, axis=0)

    drawn = lay_over(np.full((64, 256, 3), GREY, np.uint8), heat, Preprocess((64, 256)))

    grey = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY)[32].astype(int)
    assert (np.diff(grey) >= -1).all()
    assert grey[-1] - grey[0] > 90


def test_a_map_without_differences_has_its_lowest_colour_everywhere() -> None:
    image = np.full((20, 30, 3), GREY, np.uint8)

    drawn = lay_over(image, np.full((4, 4), 3, np.float32), Preprocess((8, 8)))

    assert (drawn == drawn[0, 0]).all()
    assert (image == GREY).all()


def test_the_hottest_place_is_in_the_middle_of_its_cell() -> None:
    heat = np.zeros((7, 7), np.float32)
    heat[2, 5] = 1

    assert hottest(heat, (224, 112)) == (80, 88)
