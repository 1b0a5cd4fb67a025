"""Where a model looked, laid over the image that it looked at."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess

_IMAGE, _COLOUR = 0.4, 0.6
"""Shares of the grey image and of the colour of its heat."""


def lay_over(image: Pixels, heat: NDArray[np.float32], preprocess: Preprocess) -> Pixels:
    """A copy of the image with a heatmap over it: uint8 `[h, w, 3]` RGB.

    image: uint8 `[h, w, 3]` RGB, upright, as it was before preprocessing. heat: `[rows, columns]`, of the model's whole
    input, on any scale; dark blue stands for its lowest and yellow for its highest place. Both ways of reading it work in
    grey, too, because the image is made grey and cividis only becomes lighter (Nunez et al. 2018, Optimizing colormaps with
    consideration for color vision deficiency). What the model did not see, as `fit="crop"` cuts it off, is dark and without
    colour.
    """
    levels, is_seen = _on_image(_normalised(heat), image.shape[:2], preprocess)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS)[..., ::-1]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed = cv2.addWeighted(grey, _IMAGE, np.where(is_seen[..., None], colours, np.uint8(0)), _COLOUR, 0)
    return np.asarray(mixed, np.uint8)


def hottest(heat: NDArray[np.float32], size_hw: Sequence[int]) -> tuple[int, int]:
    """Row and column of the pixel in the middle of the hottest place. size_hw: of what the map covers, in pixels."""
    place = np.unravel_index(int(heat.argmax()), heat.shape)
    row, column = (int((at + 0.5) * side / cells) for at, side, cells in zip(place, size_hw, heat.shape, strict=True))
    return row, column


def _normalised(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """From 0 to 255; 0 where every place is the same."""
    lowest, highest = float(heat.min()), float(heat.max())
    return np.asarray((heat - lowest) * (255 / (highest - lowest or 1.0)), np.float32)


def _on_image(
    heat: NDArray[np.float32], image_hw: Sequence[int], preprocess: Preprocess
) -> tuple[Pixels, NDArray[np.bool_]]:
    """For each pixel of the image, its heat as a level, and whether the model saw it: `[h, w]` both. heat: 0 to 255."""
    height, width = image_hw
    layout = preprocess.lay_out(height, width)
    weights, seen = [], []
    for axis, (side, cells) in enumerate(zip((height, width), heat.shape, strict=True)):
        first, last = layout.box[axis], layout.box[axis + 2]
        resized = (np.arange(side) + 0.5 - first) * layout.resized_hw[axis] / (last - first)
        in_input = resized - layout.cut[axis] + layout.place[axis]
        seen.append((resized >= layout.cut[axis]) & (resized < layout.cut[axis + 2]))
        weights.append(_bilinear(in_input * cells / preprocess.size_hw[axis] - 0.5, cells))
    levels = weights[0] @ heat @ weights[1].T
    return np.asarray(cv2.convertScaleAbs(levels), np.uint8), np.logical_and.outer(*seen)


def _bilinear(places: NDArray[np.float64], cells: int) -> NDArray[np.float32]:
    """The weights of the cells at each place, `[places, cells]`; each row sums to 1. A cell's centre is a whole number."""
    inside = places.clip(0, cells - 1)
    return np.asarray(np.maximum(0.0, 1 - np.abs(inside[:, None] - np.arange(cells))), np.float32)
