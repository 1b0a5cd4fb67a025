"""Where a model looked, for models without heatmaps of their own: what changes when a part of the image is covered.

Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.levels import through_tables
from edgeclf.runtime.images.preprocess import Preprocess

GRID = 7
"""Rows and columns of the map."""
RUNS = GRID * GRID
"""Runs of the model for one image."""
_GREY = 128
_PATCH = 2.0
"""The side of a covering patch, in places of the grid: neighbours overlap, so that no object falls between them."""


def occlusion_heatmap(
    probabilities: Callable[[Pixels], NDArray[np.float32]], pixels: Pixels, preprocess: Preprocess
) -> NDArray[np.float32]:
    """By how much each class becomes less probable when a place is covered with grey: float32 `[7, 7, classes]`.

    probabilities: of uint8 `[N, H, W, C]`, as float32 `[N, classes]`. pixels: one image from `preprocess`, uint8
    `[H, W, C]`. The model runs once more for each place, with all of them in one batch.
    """
    grey = np.full((1, 1, preprocess.channels), _GREY, np.uint8)
    grey = grey if preprocess.levels is None else through_tables(grey, preprocess.levels)
    covered = np.repeat(pixels[None], RUNS, axis=0)
    for number, image in enumerate(covered):
        rows, columns = (_patch(at, side) for at, side in zip(divmod(number, GRID), pixels.shape, strict=False))
        image[rows, columns] = grey
    changes = probabilities(pixels[None]) - probabilities(covered)
    return changes.reshape(GRID, GRID, -1)


def _patch(place: int, side: int) -> slice:
    """The pixels that a patch covers along one side of the image; at least one."""
    centre, half = (place + 0.5) * side / GRID, _PATCH / 2 * side / GRID
    first = max(0, round(centre - half))
    return slice(first, max(first + 1, round(centre + half)))
