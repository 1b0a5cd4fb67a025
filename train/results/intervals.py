"""95 % confidence intervals of measured shares that are also correct for few images."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_Z_95 = 1.959964  # the 97.5 % point of the normal distribution


def wilson_interval(correct: int, total: int, z: float = _Z_95) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927); also correct for few images and near 0 and 1.

    z: the half width in standard deviations, for another confidence than 95 %.

    >>> [round(end, 3) for end in wilson_interval(95, 100)]
    [0.888, 0.978]
    """
    share, spread = correct / total, z**2 / total
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % confidence interval of the mean of a few values (Student's t).

    >>> [round(end, 3) for end in mean_interval([0.8, 0.9, 0.85])]
    [0.726, 0.974]
    """
    from scipy.special import stdtrit  # not where only the runtime is installed

    mean, count = float(np.mean(values)), len(values)
    half = float(stdtrit(count - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return mean - half, mean + half


def auc_interval(auc: float, negatives: int, positives: int) -> tuple[float, float] | None:
    """95 % confidence interval of an area under the ROC curve (Hanley & McNeil 1982, equations 1 and 2).

    None at 0 and at 1, where the formula gives an interval without width, even for few images.
    """
    if not 0 < auc < 1:
        return None
    of_pairs = (positives - 1) * (auc / (2 - auc) - auc**2) + (negatives - 1) * (2 * auc**2 / (1 + auc) - auc**2)
    half = _Z_95 * math.sqrt((auc * (1 - auc) + of_pairs) / (negatives * positives))
    return max(0.0, auc - half), min(1.0, auc + half)


def macro_f1_interval(confusion: NDArray[np.int64], seed: int = 0) -> tuple[float, float] | None:
    """95 % bootstrap interval of the macro F1, from RESAMPLES confusion matrices drawn with the shares of this one.

    None if all images lie in one cell: the resamples would all be equal, and the interval would have no width.
    """
    truth, predicted = np.nonzero(confusion)
    if len(truth) < 2:
        return None
    counts = confusion[truth, predicted]
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), RESAMPLES).astype(np.float64)
    present = np.unique(truth)
    true_counts, predicted_counts = (drawn @ (cells[:, None] == present).astype(np.float64) for cells in (truth, predicted))
    correct = (drawn * (truth == predicted)) @ (truth[:, None] == present).astype(np.float64)
    f1 = (2 * correct / np.maximum(true_counts + predicted_counts, 1)).mean(axis=1)
    low, high = np.quantile(f1, (0.025, 0.975))
    return float(low), float(high)
