"""Bilinear resize, bit by bit the same as TensorFlow's, for models trained with Keras's own loader.

OpenCV's bilinear resize differs by up to 0.01 levels, even on floats, so values near a half round to another level.
"""

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels

_Indices = NDArray[np.intp]
_Floats = NDArray[np.float32]


def resize_as_tensorflow(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize uint8 `[h, w, C]` to uint8 `[height, width, C]` as `tf.image.resize(pixels, (height, width))`, rounded.

    The float32 operations have the same order as in TensorFlow's ResizeBilinear with half-pixel centres.
    """
    top, bottom, down = _neighbours(height, pixels.shape[0])
    left, right, across = _neighbours(width, pixels.shape[1])
    upper, lower = (_blend(pixels[rows], left, right, across[:, None]) for rows in (top, bottom))
    return np.rint(upper + (lower - upper) * down[:, None, None]).astype(np.uint8)


def _blend(rows: Pixels, left: _Indices, right: _Indices, across: _Floats) -> _Floats:
    start = rows[:, left].astype(np.float32)
    blended: _Floats = start + (rows[:, right] - start) * across
    return blended


def _neighbours(target: int, source: int) -> tuple[_Indices, _Indices, _Floats]:
    """For each of `target` pixels of a side: the source index before it, the one after it, and the fraction between them."""
    scale = np.float32(source) / np.float32(target)
    place = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    before = np.floor(place)
    first = np.maximum(before, 0).astype(np.intp)
    last = np.minimum(np.ceil(place), source - 1).astype(np.intp)
    return first, last, place - before
