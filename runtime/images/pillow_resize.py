"""Pillow's `Image.resize`, byte for byte and about as fast, without Pillow: networks trained with it need those bytes.

Pillow multiplies whole numbers, one side after the other, and rounds to whole levels after each. Here, a pass is a product
of float32 matrices: a few rows of the result at a time, from the rows of the source that they need. Such sums are not exact.
Where their error could change the rounding, the sum is computed once more, in float64, which holds it exactly.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.pillow_weights import UNIT, Floats, Indices, PillowFilter, Side, weights

_BLOCK = 8
"""Rows of the result that one product computes. More rows need a wider band of the source, most of it with weight 0."""
_PRODUCT = 262_144
"""The most multiplications in one product. OpenBLAS starts threads above that, and every core has a worker already."""
_LONGEST_KEPT = 8_192
"""The weights of a longer side are not kept for the next image: they can take 40 MB, those of a shorter one 1 MB."""
_MANY_TAPS = 2_048
"""Above that, the error of float32 is large, and many sums would be computed twice."""
_MUCH_DOUBT = 0.02
"""The share of sums computed twice at which float64 alone is faster."""
_SUMS = 1 << 18
"""The most sums that are made before they are rounded: they should stay in the processor's cache."""
_RECOMPUTED = 1 << 18
"""Weights of the sums that are recomputed at a time."""


_Offset = float | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Pass:
    """How one side is resampled to `m` rows.

    needed: int64 `[blocks * band]`, for each block of rows of the result, the rows of the source that it needs.
    blocks: float32 or float64 `[blocks, _BLOCK, band]`, their weights.
    step: the columns that are resampled at a time.
    low, high: what is added to the sums before they are rounded: one number or float32 `[m, 1]`. A sum for which both give
        different levels is computed again; `high` is None if no sum needs that.
    first, taps: the exact weights, as in Weights, but for levels.
    used: the first row of the source that is needed, and the one after the last. signed: weights may be negative.
    """

    needed: Indices
    blocks: NDArray[Any]
    step: int
    low: _Offset
    high: _Offset | None
    first: Indices
    taps: Floats
    used: tuple[int, int]
    signed: bool


def resize_as_pillow(
    pixels: Pixels,
    size_hw: tuple[int, int],
    name: PillowFilter,
    box: tuple[float, float, float, float] | None = None,
    cut: tuple[int, int, int, int] | None = None,
) -> Pixels:
    """Resize uint8 `[h, w, C]` as `Image.resize(size, filter, box)`.

    box: top, left, bottom and right of the part that is resized; the whole image by default.
    cut: top, left, bottom and right of the part of the result that is wanted; all of it by default.
    """
    (height, width), (source_h, source_w) = size_hw, pixels.shape[:2]
    top, left, bottom, right = box or (0, 0, source_h, source_w)
    y0, x0, y1, x1 = cut or (0, 0, height, width)
    rows = _pass(Side(source_h, height, start=float(top), end=float(bottom), cut=(y0, y1)), name)
    columns = _pass(Side(source_w, width, start=float(left), end=float(right), cut=(x0, x1)), name)
    needs_w, needs_h = (source_w, 0, source_w) != (width, left, right), (source_h, 0, source_h) != (height, top, bottom)
    if not needs_w:
        pixels = pixels[:, x0:x1]
    if not needs_h:
        pixels = pixels[y0:y1]
    # Since version 13, Pillow begins with the height where that becomes much smaller.
    if needs_w and needs_h and source_h - height > max(0, 2 * (source_w - width)):
        return _across(_down(pixels, rows, columns.used), columns, (0, y1 - y0))
    if needs_w:
        pixels = _across(pixels, columns, rows.used if needs_h else (0, y1 - y0))
    return _down(pixels, rows, (0, x1 - x0)) if needs_h else np.ascontiguousarray(pixels)


def _pass(side: Side, name: PillowFilter) -> _Pass:
    return (_kept_pass if side.source <= _LONGEST_KEPT else _make_pass)(side, name)


def _make_pass(side: Side, name: PillowFilter) -> _Pass:
    weighted = weights(side, name)
    first, whole = weighted.first, weighted.taps
    taps, length = whole / UNIT, whole.shape[1]
    low, high = _offsets(whole, mean=name == "box")
    exact = length > _MANY_TAPS or _share_of_doubt(taps, high - low) > _MUCH_DOUBT
    needed, blocks = _blocks(first, taps, side.source, np.float64 if exact else np.float32)
    step = max(1, min(_PRODUCT // blocks[0].size, _SUMS // len(first)))
    used = (int(first[0]), min(int(first[-1]) + length, side.source))
    doubt = not exact and bool((high > low).any())
    signed = bool((whole < 0).any())
    return _Pass(
        needed,
        blocks,
        step,
        low=_one(low),
        high=_one(high) if doubt else None,
        first=first,
        taps=taps,
        used=used,
        signed=signed,
    )


_kept_pass = lru_cache(maxsize=128)(_make_pass)


def _offsets(whole: Indices, mean: bool) -> tuple[Floats, Floats]:
    """For each row, the lowest and the highest number to add to its float32 sums before they are rounded.

    A float32 holds 24 bits. The sums of weights with few bits are exact, and a half is rounded up.
    Otherwise, each of n terms adds a relative error of at most 2**-24, in any order of summation. The rest is for adding
    this error itself.
    A mean of n levels is a half, or at least 1 / 2n away from one. Its weight is 1 / n, rounded, and that alone decides
    whether a half is rounded up.
    """
    total, terms = np.abs(whole).sum(1), (whole != 0).sum(1)
    bits = np.bitwise_or.reduce(np.abs(whole), axis=1) | UNIT
    exact = (bits & -bits) >= 1 << 10  # so a sum is a half, or at least 2**-12 away from one
    error = np.where(exact, 2**-13, (1.01 * terms * 2**-24 * 255 * total / UNIT + 2**-14).max())
    decided, up = exact, exact
    if mean:
        excess = total - UNIT
        clear = 255 * np.abs(excess) / UNIT + 2 * error < 0.5 / terms
        decided, up = exact | clear, exact | (clear & (excess >= 0))
    return np.where(up, error, -error), np.where(decided & ~up, -error, error)


def _one(offsets: Floats) -> _Offset:
    """One number if all are the same: OpenCV adds it while it rounds."""
    return float(offsets[0]) if (offsets == offsets[0]).all() else offsets[:, None].astype(np.float32)


def _share_of_doubt(taps: Floats, doubt: Floats) -> float:
    """How many sums of random levels would be computed twice.

    Few, unless the sides are as 2 to 3 or the like: then many sums are halves.
    """
    middle = slice(max(0, len(taps) // 2 - 12), len(taps) // 2 + 12)
    levels = np.random.default_rng(0).integers(0, 256, (taps.shape[1], 64)).astype(np.float64)
    sums = taps[middle] @ levels
    return float((np.abs(sums - np.floor(sums) - 0.5) < doubt[middle, None] / 2).mean())


def _blocks(first: Indices, values: Floats, source: int, dtype: type[Any]) -> tuple[Indices, NDArray[Any]]:
    """The weights as one matrix for each block of rows."""
    rows, length = values.shape
    starts = first[::_BLOCK]
    ends = first[np.minimum(np.arange(len(starts)) * _BLOCK + _BLOCK, rows) - 1] + length
    band = int((np.minimum(ends, source) - starts).max())
    starts = np.minimum(starts, source - band)
    blocks = np.zeros((len(starts), _BLOCK, band), dtype)
    row = np.arange(rows)
    place = (first - starts[row // _BLOCK])[:, None] + np.arange(length)
    row_of, tap = np.nonzero(place < band)
    blocks[row_of // _BLOCK, row_of % _BLOCK, place[row_of, tap]] = values[row_of, tap]
    return (starts[:, None] + np.arange(band)).reshape(-1), blocks


def _across(pixels: Pixels, columns: _Pass, used: tuple[int, int]) -> Pixels:
    """Resample the width. Rows that the other pass does not use are left undefined."""
    (height, width, channels), target = pixels.shape, len(columns.first)
    result = np.empty((height, target, channels), np.uint8)
    step = max(1, columns.step // channels)
    for top in range(*used, step):
        strip = pixels[top : min(top + step, used[1])]
        turned = cv2.transpose(strip).reshape(width, -1).astype(np.uint8, copy=False)
        resampled = _resampled(turned, columns).reshape(target, len(strip), channels)
        result[top : top + len(strip)] = cv2.transpose(resampled).reshape(len(strip), target, channels)
    return result


def _down(pixels: Pixels, rows: _Pass, used: tuple[int, int]) -> Pixels:
    """Resample the height. Columns that the other pass does not use are left undefined."""
    height, width, channels = pixels.shape
    flat = pixels.reshape(height, -1)
    result = np.empty((len(rows.first), width * channels), np.uint8)
    end = used[1] * channels
    for left in range(used[0] * channels, end, rows.step):
        part = slice(left, min(left + rows.step, end))
        result[:, part] = _resampled(flat[:, part], rows)
    return result.reshape(-1, width, channels)


def _resampled(levels: NDArray[np.uint8], plan: _Pass) -> NDArray[np.uint8]:
    """uint8 `[n, columns]` to uint8 `[m, columns]`."""
    if plan.taps.shape[1] == 1:
        return levels[plan.first]
    rows, columns, (blocks, _, band) = len(plan.first), levels.shape[1], plan.blocks.shape
    source = levels[plan.needed].astype(plan.blocks.dtype).reshape(blocks, band, columns)
    sums: NDArray[Any] = np.matmul(plan.blocks, source).reshape(-1, columns)[:rows]
    if sums.dtype == np.float64:
        whole: NDArray[np.uint8] = np.clip(sums + 0.5, 0, 255.5).astype(np.uint8)
        return whole
    if plan.signed:
        np.maximum(sums, np.float32(0), out=sums)
    result = _nearest(sums, plan.low)
    if plan.high is not None:
        _decide(result, np.flatnonzero(result != _nearest(sums, plan.high)), levels, plan)
    return result


def _nearest(sums: NDArray[np.float32], offset: _Offset) -> NDArray[np.uint8]:
    """The nearest whole levels to the sums and the offset."""
    if isinstance(offset, float):
        return np.asarray(cv2.convertScaleAbs(sums, alpha=1, beta=offset), np.uint8)
    return np.asarray(cv2.convertScaleAbs(sums + offset), np.uint8)


def _decide(result: NDArray[np.uint8], doubtful: Indices, levels: NDArray[np.uint8], plan: _Pass) -> None:
    """Compute the doubtful sums exactly."""
    columns, length = levels.shape[1], plan.taps.shape[1]
    flat, at_once = result.reshape(-1), max(1, _RECOMPUTED // length)
    for begin in range(0, len(doubtful), at_once):
        places = doubtful[begin : begin + at_once]
        row, column = np.divmod(places, columns)
        needed = np.minimum(plan.first[row][:, None] + np.arange(length), len(levels) - 1)
        sums = np.einsum("ij,ij->i", plan.taps[row], levels[needed, column[:, None]], dtype=np.float64)
        flat[places] = np.clip(np.floor(sums + 0.5), 0, 255)
