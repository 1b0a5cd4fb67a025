"""Decides whether a model returns probabilities, before its numbers are believed.

Scores that are no distribution would still give a label and a confidence, both of them wrong. So a few images are run, and
every row must be a distribution as far as the steps of a quantised output can show it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels

_ENTRY_SLACK = 1e-3
"""How far a probability may lie outside 0 to 1; half precision needs it."""
_SUM_SLACK = 1e-2
"""How far a sum may miss 1, besides what rounding to steps explains."""
_COARSE_STEP = 1 / 16
"""Larger steps leave fewer than 16 different probabilities, which no softmax is stored with."""
_DOUBTFUL_STEP = 1 / 100
_DOUBTFUL_ROUNDING = 0.25
"""If rounding can change a sum by more than this, as with hundreds of classes in 8 bits, sums prove little."""
_INFERRED_STEPS = (1e-5, 1 / 64)
_EIGHT_BITS = 1 / 256
_FEW_VALUES = 16
"""Hundreds of classes with fewer different values than this were rounded."""
_SIGMOIDS = {"LOGISTIC", "Sigmoid", "HardSigmoid"}
_SCORES = {
    *("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL", "RELU", "RELU6", "TANH", "LOG_SOFTMAX"),
    *("Gemm", "MatMul", "Conv", "Relu", "Tanh", "LogSoftmax"),
}
"""Last operations of TFLite and ONNX files whose results are not probabilities."""
_ADD_SOFTMAX = (
    "convert it again with a softmax at its end, or export its Keras model: "
    "clf-export model.keras --classes labels.txt --head logits --data photos/"
)
_TRAIN_SOFTMAX = "edgeclf predicts one class, so train it with a softmax"


@dataclass(frozen=True)
class OutputLevels:
    """The values that a quantised output can have: from `low` to `high` in steps of `step`."""

    step: float
    low: float
    high: float


def probe_images(shape: tuple[int, int, int]) -> list[Pixels]:
    """A black, a white and a noise image and a gradient, uint8 `[1, H, W, C]` each. shape: `(H, W, C)`."""
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    gradient = np.broadcast_to(np.linspace(0, 255, shape[1]).astype(np.uint8)[:, None], shape)
    return [
        np.ascontiguousarray(image)[None]
        for image in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise, gradient)
    ]


def find_output_problem(outputs: NDArray[np.float32], levels: OutputLevels | None, last_operation: Callable[[], str]) -> str:
    """What is wrong with the outputs and what to do, as the end of a sentence after "returns"; "" for distributions.

    outputs: finite, float32 `[N, classes]`. levels: of a quantised output. last_operation: the type of the operation that
        computes the output, such as `Softmax`; "" if unknown. It is called only if the numbers leave a doubt.
    """
    step = levels.step if levels else _infer_step(outputs)
    if outputs.min() < -_ENTRY_SLACK - step or outputs.max() > 1 + _ENTRY_SLACK + step:
        return f"scores from {outputs.min():.3g} to {outputs.max():.3g}, not probabilities; {_ADD_SOFTMAX}"
    if step > _COARSE_STEP:
        return f"scores in steps of {step:.3g}, not probabilities; {_ADD_SOFTMAX}"
    least, most = _sum_bounds(outputs, step, levels)
    if least.max() > 1 + _SUM_SLACK + step or most.min() < 1 - _SUM_SLACK - step:
        sums = outputs.sum(axis=1)
        found = f"scores that sum to {sums.min():.3g} or {sums.max():.3g} instead of 1"
        return f"{found}, one yes or no per class; {_TRAIN_SOFTMAX}"
    doubtful = step > _DOUBTFUL_STEP or step * outputs.shape[1] > _DOUBTFUL_ROUNDING
    operation = last_operation() if doubtful else ""
    if operation in _SIGMOIDS:
        return f"a {operation.lower()}, one yes or no per class; {_TRAIN_SOFTMAX}"
    if operation in _SCORES:
        return f"the scores of a {operation.lower()}, not probabilities; {_ADD_SOFTMAX}"
    return ""


def _sum_bounds(
    outputs: NDArray[np.float32], step: float, levels: OutputLevels | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest sum of each row before it was rounded to steps and limited to the range of levels."""
    values = outputs.astype(np.float64)
    least, most = np.maximum(values - step / 2, 0), values + step / 2
    if levels:
        most = np.where(values >= levels.high - step / 2, np.maximum(most, 1), most)
        least = np.where(values <= levels.low + step / 2, 0, least)
    return least.sum(axis=1), most.sum(axis=1)


def _infer_step(outputs: NDArray[np.float32]) -> float:
    """The step of a float output that was computed in 8 or 16 bits; 0 if the values are no multiples of one step."""
    values = np.unique(outputs.astype(np.float64))
    if len(values) < _FEW_VALUES <= outputs.shape[1]:
        return _EIGHT_BITS  # too few to measure it
    gaps = np.diff(values)
    step = float(gaps[gaps > _INFERRED_STEPS[0]].min(initial=1.0))
    if step > _INFERRED_STEPS[1]:
        return 0.0
    multiples = values / step
    return step if np.abs(multiples - multiples.round()).max() < 0.02 else 0.0
