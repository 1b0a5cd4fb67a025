"""Calibrates confidence by temperature scaling (Guo et al. 2017), folded into the weights of the head."""

import math

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

LOWEST, HIGHEST = 0.1, 10.0
_SPREAD = 0.5
"""Standard deviation of the prior of ln T: T lies between 0.4 and 2.7 in 95 of 100 trainings."""
_UNSEEN_IN_FLOAT32 = 2.0**-25
"""A stand-in for the smaller probability if a float32 sigmoid gives exactly 1."""


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The T for which softmax(ln p / T) explains the labels best; above 1 if the network is over-confident.

    probabilities: float32 `[N, classes]`, for images that the weights were not fitted to. labels: int64 `[N]`.
    Minimises N * NLL + (ln T)^2 / (2 * 0.5^2), between LOWEST and HIGHEST. The second term is a weak prior: T stays near 1
    for few images, and does not go to zero if every validation image is classified correctly. Returns 1 if a value is NaN.
    """
    if not np.isfinite(probabilities).all():
        return 1.0
    logits, rows = _logits(probabilities), np.arange(len(labels))

    def cost(log_t: float) -> float:
        likelihood = log_softmax(logits / math.exp(log_t), axis=1)[rows, labels].sum()
        return float(-likelihood + log_t**2 / (2 * _SPREAD**2))

    found = minimize_scalar(cost, bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded")
    return math.exp(found.x)


def scale(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """softmax(ln p / T), float32 `[N, classes]`. Two columns of a sigmoid head are scaled as the sigmoid's logit would be.

    Limited by float32: next to a sigmoid's 0.99999, the other column has only three significant digits.
    """
    return softmax(_logits(probabilities) / temperature, axis=1).astype(np.float32)  # type: ignore[no-any-return]


def fold_temperature(network: keras.Model, temperature: float) -> None:
    """Divide kernel and bias of the head by T, in place: every export is then calibrated without a further operator.

    Predicted classes stay the same, because dividing by T keeps the order of the logits. Raises ValueError if the network
    does not end in a dense layer with softmax or sigmoid, or if T is not above 0.
    """
    head = network.layers[-1]
    heads = (keras.activations.softmax, keras.activations.sigmoid)
    if not isinstance(head, keras.layers.Dense) or head.activation not in heads:
        raise ValueError(f"{network.name} ends in {head.name!r}, which is not a dense layer with softmax or sigmoid")
    if not 0 < temperature < math.inf:
        raise ValueError(f"a temperature must be above 0 and finite, not {temperature}")
    for weight in head.weights:
        weight.assign(weight / temperature)


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """ln p in float64: the logits up to a constant. A zero is replaced by the smallest value that it may stand for."""
    smallest = _UNSEEN_IN_FLOAT32 if probabilities.shape[1] == 2 else np.finfo(np.float32).tiny
    return np.log(np.where(probabilities > 0, probabilities, smallest).astype(np.float64))
