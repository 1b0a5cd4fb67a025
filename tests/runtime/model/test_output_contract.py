"""Outputs that are no distribution are found, and no distribution is refused, whatever an output is quantised to."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.model.output_contract import OutputLevels, find_output_problem, probe_images

Scores = NDArray[np.float64]
Head = Callable[[Scores], Scores]


def softmax(scores: Scores) -> Scores:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(scores: Scores) -> Scores:
    return 1 / (1 + np.exp(-scores))


DISTRIBUTIONS: dict[str, Head] = {
    "SOFTMAX": softmax,
    "CONCATENATION": lambda scores: np.concatenate([1 - sigmoid(scores[:, :1]), sigmoid(scores[:, :1])], axis=1),
    "MEAN": lambda scores: (softmax(scores) + softmax(-scores)) / 2,
    "DIV": lambda scores: sigmoid(scores) / sigmoid(scores).sum(axis=1, keepdims=True),
    "": lambda scores: np.eye(scores.shape[1])[scores.argmax(axis=1)],
}
OTHERS: dict[str, Head] = {
    "FULLY_CONNECTED": lambda scores: scores,
    "LOGISTIC": sigmoid,
    "RELU": lambda scores: np.maximum(scores, 0),
    "TANH": np.tanh,
    "LOG_SOFTMAX": lambda scores: np.log(softmax(scores)),
    "CONV_2D": lambda scores: np.abs(scores) + 1,
}


class Generated:
    """The outputs of a random network for four images, in a random type.

    Distributions are stored with 12 to 255 steps between 0 and 1, or are computed in 8 bits and returned as floats. Other
    outputs are stored as a converter does it: with the range of values that occur, or with a wider one.
    """

    def __init__(self, seed: int, heads: dict[str, Head]) -> None:
        self.random = np.random.default_rng(seed)
        self.operation = self.random.choice(list(heads))
        classes = int(self.random.choice([2, 3, 4, 10, 100, 1000]))
        scale, shift = self.random.uniform(0.5, 8), self.random.uniform(-6, 6)
        self.exact = heads[self.operation](self.random.normal(size=(4, classes)) * scale + shift)

    def stored(self) -> tuple[NDArray[np.float32], OutputLevels | None]:
        kind = self.random.choice(["float32", "float16", "uint8", "int8", "softmax", "wide", "8 bits inside", "int16"])
        if kind.startswith("float"):
            return self.exact.astype(kind).astype(np.float32), None
        low, high = min(self.exact.min(), 0.0), max(self.exact.max(), 1e-3)
        if kind == "wide":
            low, high = low - self.random.uniform(0, 2) * (high - low), high + self.random.uniform(0, 4) * (high - low)
        step = (high - low) / (65535 if kind == "int16" else 255)
        if kind == "softmax" and low >= 0 and high <= 1:
            low, step = 0.0, 1 / 256
        levels = self.quantised(low, step, 65535 if kind == "int16" else 255)
        return levels if kind != "8 bits inside" else (levels[0], None)

    def quantised(self, low: float, step: float, last: int) -> tuple[NDArray[np.float32], OutputLevels]:
        zero_point = round(-low / step)
        stored = np.clip(np.round(self.exact / step) + zero_point, 0, last)
        values = (stored.astype(np.float32) - zero_point) * np.float32(step)
        return values, OutputLevels(step, -zero_point * step, (last - zero_point) * step)


@pytest.mark.parametrize("seed", range(1000))
def test_no_distribution_is_refused(seed: int) -> None:
    generated = Generated(seed, DISTRIBUTIONS)
    outputs, levels = generated.stored()
    assert find_output_problem(outputs, levels, lambda: generated.operation) == ""


@pytest.mark.parametrize("seed", range(1000))
def test_nothing_else_is_taken(seed: int) -> None:
    generated = Generated(seed, OTHERS)
    outputs, levels = generated.stored()
    assert find_output_problem(outputs, levels, lambda: generated.operation)


def test_the_graph_is_read_only_if_the_numbers_leave_a_doubt() -> None:
    def fail() -> str:
        raise AssertionError

    assert find_output_problem(np.full((4, 3), 1 / 3, np.float32), None, fail) == ""
    assert find_output_problem(np.full((4, 4), 0.25, np.float32), OutputLevels(1 / 256, 0, 255 / 256), fail) == ""
    with pytest.raises(AssertionError):
        find_output_problem(np.zeros((4, 1000), np.float32), OutputLevels(1 / 256, 0, 255 / 256), fail)


def test_the_probe_images_are_black_white_noise_and_a_gradient() -> None:
    black, white, noise, gradient = (image[0] for image in probe_images((4, 6, 3)))
    assert (black.max(), white.min(), gradient[:, 0].max(), gradient[:, -1].min()) == (0, 255, 0, 255)
    assert len(np.unique(noise)) > 20
    assert all(image.shape == (4, 6, 3) and image.dtype == np.uint8 for image in (black, white, noise, gradient))
