"""Whether an epoch of training has gained anything on the validation images, and whether there is anything to gain."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

_FEWEST_ERRORS = 6
"""If fine-tuning mended 5 images and broke none, that would still be chance in 2 * 0.5**5 = 6 % of all cases (McNemar's
exact test; Dietterich 1998, "Approximate Statistical Tests for Comparing Supervised Classification Learning Algorithms")."""
_SMALL_SHARE = 0.05
"""Few validation images have few errors even if many of all images are wrong, and few images are trained on quickly."""


def leaves_nothing_to_gain(errors: int, images: int) -> bool:
    """Whether so few of the validation images are wrong that a further gain could not be told from chance."""
    return errors < _FEWEST_ERRORS and errors < _SMALL_SHARE * images


def image_losses(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cross-entropy of each image, `[N]`; NaN where the probabilities are."""
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log(np.maximum(of_truth, keras.config.epsilon())))


def is_better(losses: NDArray[np.float64], best: Sequence[float], *, beyond_noise: bool) -> bool:
    """Whether the mean of the losses is lower than that of the best epoch so far, of the same images.

    beyond_noise: by more than one standard error of the mean of the paired differences, as in the one-standard-error rule
    (Breiman et al. 1984, "Classification and Regression Trees"): of two models whose difference is noise, take the simpler.
    """
    if not best:
        return True
    gains = np.asarray(best) - losses
    noise = gains.std(ddof=1) / math.sqrt(len(gains)) if beyond_noise and len(gains) > 1 else 0.0
    return bool(gains.mean() > noise)
