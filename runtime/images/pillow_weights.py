"""The weights with which Pillow resamples one side of an image: those of its `Resample.c`, whole numbers of 2**-22."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

PillowFilter = Literal["bilinear", "bicubic", "lanczos", "box"]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

UNIT = 1 << 22
"""The weights of a pixel add up to about this number."""

_SUPPORT = {"box": 0.5, "bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}


@dataclass(frozen=True, eq=False)
class Weights:
    """first: int64 `[m]`, for each pixel of the result, the first pixel of the source that it needs.

    taps: int64 `[m, k]`, the weights of that pixel and of those after it, 0 after the last.
    """

    first: Indices
    taps: Indices


class Side(NamedTuple):
    """One side of an image: `target` pixels are made of the part from `start` to `end` of its `source` pixels.

    cut: the first pixel of the result that is wanted, and the one after the last.
    """

    source: int
    target: int
    start: float
    end: float
    cut: tuple[int, int]


def weights(side: Side, name: PillowFilter) -> Weights:
    """The weights of each pixel of the result."""
    begin, end = np.float32(side.start), np.float32(side.end)  # Pillow takes the part in single precision
    scale = float(end - begin) / side.target
    filter_scale = max(scale, 1.0)
    support = _SUPPORT[name] * filter_scale
    centre = float(begin) + (np.arange(*side.cut) + 0.5) * scale
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + support + 0.5).astype(np.int64), side.source) - first
    index = np.arange(int(count.max()))
    taps = _kernel(name, (index + first[:, None] - centre[:, None] + 0.5) * (1 / filter_scale))
    taps[index >= count[:, None]] = 0
    total = taps.cumsum(1)[:, -1:]  # one after the other, as in C
    taps /= np.where(total == 0, 1, total)
    return Weights(first, np.trunc(taps * UNIT + np.where(taps < 0, -0.5, 0.5)).astype(np.int64))


def _kernel(name: PillowFilter, x: Floats) -> Floats:
    if name == "box":
        return ((x > -0.5) & (x <= 0.5)).astype(np.float64)
    distance = np.abs(x)
    if name == "bilinear":
        return np.where(distance < 1, 1 - distance, 0)
    if name == "bicubic":
        near = (1.5 * distance - 2.5) * distance * distance + 1
        far = (((distance - 5) * distance + 8) * distance - 4) * -0.5
        return np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return np.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0)


def _sinc(x: Floats) -> Floats:
    angle = x * math.pi
    return np.where(angle == 0, 1, np.sin(angle) / np.where(angle == 0, 1, angle))
