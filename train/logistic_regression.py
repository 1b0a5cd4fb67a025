"""Logistic regression: fits the last layer of a network to the features of the frozen layers before it, exactly.

The problem is convex, so there is no learning rate to choose and no epoch to stop at. How strong the prior is, and how much
the features of earlier layers count, is chosen by cross-validation on the training images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.terminal.progress import Progress

SCALES = (0.05, 0.1, 0.2, 0.4)
"""Standard deviations of the weights of standardised features under their normal prior, from which one is chosen."""
EARLIER = (0.0, 1.0, 2.0)
"""The same for the features of earlier layers, as factors of it."""
_USUAL = (0.1, 1.0)
"""For images too few to choose with."""
_ROUNDED = 9 / 255
"""How much a feature may differ in an INT8 file, as a share of the range of all: nine steps. A feature that varies by less
would need a large weight, and rounding would decide. In float, this cost one of three photo sets a point of accuracy."""
_FOLDS = 3
_FEWEST, _MOST = 12, 4000
"""Images to choose with. More of them change the choice little."""
_ROWS = 2048
"""Rows in one product of matrices: they and their probabilities fit into the cache of a core."""
_IN_MEMORY_NUMBERS = 1 << 28
_ITERATIONS, _TOLERANCE = 200, 1e-4

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Examples:
    """features: float `[N, D]`, in memory or on disk; the first `earlier` of D come from earlier layers.

    targets: probabilities, float32 `[N, classes]`. weights: how much each row counts, float32 `[N]`; the sum is the number
    of images, also where there are several views of each.
    """

    features: NDArray[Any]
    targets: Floats
    weights: Floats
    earlier: int = 0

    def __getitem__(self, rows: NDArray[np.intp]) -> "Examples":
        return Examples(self.features[rows], self.targets[rows], self.weights[rows], self.earlier)


@dataclass(frozen=True, eq=False)
class Head:
    """kernel: float32 `[D, classes]`. bias: float32 `[classes]`. The logits of features x are `x @ kernel + bias`."""

    kernel: Floats
    bias: Floats

    def probabilities(self, features: NDArray[Any]) -> Floats:
        """Float32 `[N, classes]`."""
        found = [_softmax(rows @ self.kernel + self.bias) for rows in _slices(features)]
        return np.concatenate(found)


def fit_head(examples: Examples, images: int) -> Head:
    """The head with the lowest cross-entropy and prior. images: the first rows, one view of each image.

    Raises DatasetError if a feature is infinite or NaN.
    """
    with threadpool_limits(1):  # on two cores, more threads in the products of matrices were slower
        return _fit(examples, _chosen(examples, images) if images >= _FEWEST else _USUAL)


def answers_left_out(examples: Examples, folds: NDArray[np.intp], fitted: NDArray[np.bool_]) -> Floats:
    """What heads answer to images that they were not fitted to: probabilities, float32 `[N, classes]`, with progress.

    examples: of all N images, one view after the other; the answers to the views of an image are averaged. folds: int
    `[divisions, N]`, the fold of each image in each division; their answers are averaged. fitted: bool `[N]`, the images
    that heads may be fitted to. Raises DatasetError if a feature is infinite or NaN.
    """
    views = np.arange(0, len(examples.features), len(fitted))
    left_out = [division == fold for division in folds for fold in np.unique(division)]

    def answer(fold: NDArray[np.bool_]) -> Floats:
        head = _fit(examples[_rows(views, fitted & ~fold)], prior)
        found = head.probabilities(examples.features[_rows(views, fold)])
        return np.asarray(found.reshape(len(views), -1, found.shape[1]).mean(axis=0))

    total = np.zeros((len(fitted), examples.targets.shape[1]), np.float32)
    with threadpool_limits(1):
        count = int(fitted.sum())
        prior = _chosen(examples[np.flatnonzero(fitted)], count) if count >= _FEWEST else _USUAL
        with Progress("answering without each fold", len(left_out), "fold") as progress:
            for fold, found in zip(left_out, ordered_map(answer, left_out, usable_cores()), strict=True):
                total[fold] += found
                progress.advance()
    return total / np.float32(len(folds))


def _rows(views: NDArray[np.intp], images: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The rows of all views of some images."""
    return np.asarray((views[:, None] + np.flatnonzero(images)).ravel())


def _chosen(examples: Examples, images: int) -> tuple[float, float]:
    """The prior with the lowest cross-entropy for images left out: first for earlier features, then for all."""
    examples = examples[np.random.default_rng(0).permutation(images)[:_MOST]]
    scale, factors = SCALES[1], EARLIER if examples.earlier else EARLIER[:1]
    with Progress("fitting the head", len(factors) + len(SCALES) - 1, "candidate") as progress:
        losses = _cross_validate(examples, [(scale, factor) for factor in factors], progress)
        best = min(losses, key=losses.__getitem__)
        others = [(other, best[1]) for other in SCALES if other != scale]
        losses |= _cross_validate(examples, others, progress)
    return min(losses, key=losses.__getitem__)


def _cross_validate(
    examples: Examples, priors: Sequence[tuple[float, float]], progress: Progress
) -> dict[tuple[float, float], float]:
    """The mean cross-entropy of images left out, for each prior."""
    found = {}
    for prior, loss in zip(priors, ordered_map(partial(_loss_left_out, examples), priors, usable_cores()), strict=True):
        found[prior] = loss
        progress.advance()
    return found


def _loss_left_out(examples: Examples, prior: tuple[float, float]) -> float:
    folds = np.arange(len(examples.features)) % _FOLDS
    loss = 0.0
    for fold in range(_FOLDS):
        left_out = examples[np.flatnonzero(folds == fold)]
        found = _fit(examples[np.flatnonzero(folds != fold)], prior).probabilities(left_out.features)
        loss += float((left_out.weights * _cross_entropy(left_out.targets, found)).sum())
    return loss / float(examples.weights.sum())


def _fit(examples: Examples, prior: tuple[float, float]) -> Head:
    """Standardises the features, and scales them as the prior says: the weights then share one prior of deviation 1."""
    scale, factor = prior
    mean, deviation, spread = _moments(examples.features)
    scales = scale / np.maximum(np.hypot(deviation, _ROUNDED * spread), 1e-6)
    scales[: examples.earlier] *= factor
    problem = _Problem(examples, mean, scales)
    start = np.zeros((len(mean) + 1) * examples.targets.shape[1])
    options = {"maxiter": _ITERATIONS, "gtol": _TOLERANCE}
    found = minimize(problem, start, jac=True, method="L-BFGS-B", options=options).x.reshape(len(mean) + 1, -1)
    kernel = found[:-1] * scales[:, None]
    return Head(kernel.astype(np.float32), (found[-1] - mean @ kernel).astype(np.float32))


class _Problem:
    """The loss of weights, float64 `[(D + 1) * classes]`, and its gradient: cross-entropy, and half the squared weights."""

    def __init__(self, examples: Examples, mean: NDArray[np.float64], scales: NDArray[np.float64]) -> None:
        self._examples, self._mean, self._scales = examples, mean.astype(np.float32), scales.astype(np.float32)
        self._kept = list(self._standardised()) if examples.features.size <= _IN_MEMORY_NUMBERS else None
        self._total = float(examples.weights.sum())

    def __call__(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        both = weights.reshape(len(self._mean) + 1, -1)
        kernel, bias = both[:-1].astype(np.float32), both[-1].astype(np.float32)
        loss, gradient, start = float((both[:-1] ** 2).sum()) / 2, both.copy(), 0
        gradient[-1] = 0
        for rows in self._kept or self._standardised():
            part = slice(start, start + len(rows))
            start += len(rows)
            targets, counts = self._examples.targets[part], self._examples.weights[part]
            found = _softmax(rows @ kernel + bias)
            loss += float((counts * _cross_entropy(targets, found)).sum())
            wrong = counts[:, None] * (found - targets)
            gradient[:-1] += rows.T @ wrong
            gradient[-1] += wrong.sum(axis=0)
        return loss / self._total, gradient.ravel() / self._total

    def _standardised(self) -> Iterator[Floats]:
        return ((rows - self._mean) * self._scales for rows in _slices(self._examples.features))


def _moments(features: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Mean and standard deviation of each feature, and the range of all. Raises DatasetError if they are infinite or NaN."""
    total = squares = np.zeros(features.shape[1])
    lowest, highest = np.inf, -np.inf
    shift = features[0].astype(np.float64)
    for rows in _slices(features):
        offsets = rows - shift
        total, squares = total + offsets.sum(axis=0), squares + (offsets**2).sum(axis=0)
        lowest, highest = min(lowest, float(rows.min())), max(highest, float(rows.max()))
    mean = total / len(features)
    variance = np.maximum(squares / len(features) - mean**2, 0)
    if not np.isfinite(mean + variance).all():
        raise DatasetError("the features of the frozen layers become infinite or NaN; check the file of --weights")
    return mean + shift, np.sqrt(variance), highest - lowest


def _slices(features: NDArray[Any]) -> Iterator[Floats]:
    for start in range(0, len(features), _ROWS):
        yield features[start : start + _ROWS].astype(np.float32)


def _softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return found


def _cross_entropy(targets: Floats, found: Floats) -> Floats:
    """Of each row, float32 `[N]`."""
    return np.asarray(-(targets * np.log(np.maximum(found, 1e-12))).sum(axis=1), np.float32)
