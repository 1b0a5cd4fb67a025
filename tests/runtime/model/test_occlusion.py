"""Occlusion: what is covered where, on which scale, and in how many runs of the model."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.occlusion import RUNS, occlusion_heatmap

INVERTED = (tuple(range(255, -1, -1)),)


def looks_at(row: int, column: int) -> "Looker":
    return Looker(row, column)


class Looker:
    """A model of two classes: the second is as probable as one pixel is bright."""

    def __init__(self, row: int, column: int) -> None:
        self.place = row, column
        self.images = 0

    def __call__(self, batch: Pixels) -> NDArray[np.float32]:
        self.images += len(batch)
        bright = batch[:, *self.place].mean(axis=1) / 255
        return np.stack([1 - bright, bright], axis=1).astype(np.float32)


@pytest.mark.parametrize(("row", "column"), [(5, 5), (50, 20), (63, 95)])
def test_the_place_that_the_model_needs_is_the_hottest(row: int, column: int) -> None:
    model = looks_at(row, column)

    maps = occlusion_heatmap(model, np.full((64, 96, 3), 255, np.uint8), Preprocess((64, 96)))

    assert (maps.shape, maps.dtype) == ((7, 7, 2), np.float32)
    hot = np.argwhere(maps[..., 1] > 0.4)
    assert [row * 7 // 64, column * 7 // 96] in hot.tolist()
    assert np.ptp(hot, axis=0).max() <= 1
    np.testing.assert_allclose(maps[..., 0], -maps[..., 1])
    assert model.images == RUNS + 1


def test_grey_is_on_the_scale_of_the_models_input() -> None:
    """White as the inverting table gives it is 0, and grey is 127."""
    preprocess = Preprocess((14, 14), channels=1, levels=INVERTED)

    maps = occlusion_heatmap(looks_at(1, 1), preprocess(np.full((14, 14), 255, np.uint8)), preprocess)

    assert maps[0, 0, 1] == pytest.approx(-127 / 255, abs=1e-6)


def test_an_image_that_is_smaller_than_the_grid_is_covered_everywhere() -> None:
    maps = occlusion_heatmap(looks_at(2, 0), np.full((3, 2, 1), 255, np.uint8), Preprocess((3, 2), channels=1))

    assert maps[..., 1].max() > 0.4
