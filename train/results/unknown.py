"""Fits what tells images that are unlike all that was learned, and measures it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.model.novelty import SHARES, Novelty, scaled_to_1

MOST_AXES = 16
"""From 8 to 32, the measures in `benchmarks/unknown.py` hardly differ."""
_FOLDS = 4
_FEWEST = 20
"""Training images; with fewer, nothing is said."""
_SHARE_OF_WEIGHTS = 0.01


@dataclass(frozen=True, eq=False)
class NoveltyTested:
    """val, test: the novelty of each image of the split, float64 `[N]`; test may be empty."""

    novelty: Novelty
    val: NDArray[np.float64]
    test: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """The shares that are called unknown, for `metrics.json`."""
        shares = {"test": self.test, "validation": self.val}
        return {"axes": len(self.novelty.vectors) - 1} | {
            f"{name}_share": round(float((values > 1).mean()), 6) for name, values in shares.items() if len(values)
        }


def fit_novelty(train: NDArray[np.float32], val: NDArray[np.float32], weights: int, seed: int = 0) -> Novelty | None:
    """From embeddings, float32 `[N, D]`. weights: of the network, for the size. None if there are too few images.

    1 % of the known images lie above 1: of the training images, each of which is measured by what was fitted without it
    (cross-fitting), and also of the validation images, which the network has not seen: the higher of the two counts.
    """
    axes = count_axes(len(train), train.shape[1], weights)
    if axes < 1 or len(train) < _FEWEST or not len(val):
        return None
    novelty = _spanned(train, axes)
    known = [_cross_fitted(train, axes, seed), novelty.of(val)]
    unit = max(float(np.quantile(values, 1 - SHARES[1])) for values in known)
    if unit <= 0:  # all images are the same
        return None
    levels = [max(float(np.quantile(values, 1 - share)) for values in known) / unit for share in SHARES]
    return replace(novelty, unit=unit, levels=tuple(levels))


def count_axes(images: int, numbers: int, weights: int) -> int:
    """As many as MOST_AXES, without more than 1 % of the size of an INT8 file, or most of what the images span."""
    room = int(_SHARE_OF_WEIGHTS * weights * 3 / 4) // numbers - 1  # as text, 3 bytes take 4
    return min(MOST_AXES, room, numbers // 4, images // 10)


def _spanned(embeddings: NDArray[np.float32], axes: int) -> Novelty:
    scaled = scaled_to_1(embeddings).astype(np.float64)
    mean = scaled.mean(axis=0)
    offsets = scaled - mean
    if len(offsets) < offsets.shape[1]:  # the products of images are a smaller matrix than those of numbers
        vectors = np.linalg.eigh(offsets @ offsets.T)[1][:, -axes:]
        found = (offsets.T @ vectors).T
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    else:
        found = np.linalg.eigh(offsets.T @ offsets)[1][:, -axes:].T
    return Novelty.spanning(mean, found)


def _cross_fitted(embeddings: NDArray[np.float32], axes: int, seed: int) -> NDArray[np.float64]:
    folds = np.random.default_rng(seed).permutation(len(embeddings)) % _FOLDS
    found = np.empty(len(embeddings))
    for fold in range(_FOLDS):
        found[folds == fold] = _spanned(embeddings[folds != fold], axes).of(embeddings[folds == fold])
    return found
