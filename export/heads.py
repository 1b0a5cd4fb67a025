"""What a network from elsewhere ends in: probabilities or raw scores. A mistake here passes unnoticed: the answers stay
plausible and only the confidences are wrong, so whatever is not certain is refused, and its owner asked.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.card import Head
from edgeclf.train.keras_file.config_check import MOST_NUMBERS

_SHAPING = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "EnsureShape", "PreventGradient"}
_WEIGHTS = {"Const", "Placeholder", "ReadVariableOp"}
_SCORES = {"BiasAdd", "MatMul", "BatchMatMulV2", "Conv2D", "Einsum", "LogSoftmax"}
_ARITHMETIC = {"AddV2", "AddN", "Sub", "Mul", "RealDiv", "Mean", "Sum", "ConcatV2", "Pack", "FusedBatchNormV3"}
_CLOSE = 1e-3  # float16 networks round their probabilities


@dataclass(frozen=True, eq=False)
class OutputProbe:
    """The operation that makes the output, by its name in TensorFlow, and the answers to a few images.

    answers: float32 `[images, units]`, to black, white, noise and a gradient.
    """

    name: str
    operation: str
    answers: NDArray[np.float32]

    @classmethod
    def of(cls, network: keras.Model, shape: tuple[int, int, int], name: str) -> "OutputProbe":
        """Trace the network, which takes levels 0 to 255 of `shape`, and let it answer. Raises ModelError."""
        traced = tf.function(lambda image: network(image, training=False), autograph=False)
        concrete = traced.get_concrete_function(tf.TensorSpec((1, *shape), tf.float32))
        _check_sizes(concrete.graph, name)
        operation = concrete.outputs[0].op
        while operation.type in _SHAPING:
            operation = operation.inputs[0].op
        answers = np.concatenate([concrete(tf.constant(image)).numpy() for image in _images(shape)])
        return cls(name, operation.type, answers.astype(np.float32))

    @property
    def units(self) -> int:
        return int(self.answers.shape[1])

    @property
    def lies_between_0_and_1(self) -> bool:
        return bool((self.answers >= -_CLOSE).all() and (self.answers <= 1 + _CLOSE).all())

    @property
    def sums_to_1(self) -> bool:
        return self.lies_between_0_and_1 and bool((np.abs(self.answers.sum(axis=1) - 1) < _CLOSE).all())


def detect_head(ending: OutputProbe) -> Head:
    """What the network ends in, by its last operation and its answers. Raises ModelError where they leave a doubt."""
    name, operation, units = ending.name, ending.operation, ending.units
    if not np.isfinite(ending.answers).all():
        raise ModelError(f"{name} answers with NaN or infinity; train it again, or check --scale")
    if units > 1 and ending.sums_to_1:
        return "softmax"
    if operation == "Sigmoid" and units == 1:
        return "sigmoid"
    if operation == "Sigmoid":
        fact = f"{name} ends in {units} sigmoid units, which answer yes or no for every class; edgeclf chooses one class"
        raise ModelError(f"{fact}, and --head logits would put a softmax on top")
    if operation == "Softmax":
        fact = (
            f"{name} ends in a softmax over {'one unit, which is always 1' if units == 1 else 'something but its classes'}"
        )
        raise ModelError(f"{fact}; train it with a sigmoid, or a unit a class")
    if operation in _SCORES or (operation in _ARITHMETIC and not ending.lies_between_0_and_1):
        return "logits"
    fact = f"{name} ends in {operation}, which does not tell whether it gives probabilities"
    raise ModelError(f"{fact}; say it with --head {'sigmoid' if units == 1 else 'softmax'} or --head logits")


def choose_head(ending: OutputProbe, head: Head) -> Head:
    """What the owner says it ends in, as long as the answers do not contradict. Raises OptionError."""
    fact = f"--head {head} does not fit {ending.name}"
    if head == "sigmoid" and (ending.units != 1 or not ending.lies_between_0_and_1):
        raise OptionError(f"{fact}, {_seen(ending)}; a sigmoid is one unit from 0 to 1")
    if head == "softmax" and (ending.units == 1 or not ending.sums_to_1):
        raise OptionError(f"{fact}, {_seen(ending)}; a softmax has a unit a class, and they sum to 1")
    return head


def _seen(ending: OutputProbe) -> str:
    low, high = ending.answers.min(), ending.answers.max()
    return f"which has {ending.units} unit{'s'[: ending.units > 1]} and answered test images with {low:.3g} to {high:.3g}"


def _check_sizes(graph: tf.Graph, name: str) -> None:
    """The last guard against sizes that no numbers in the file have to fill, before the first image is answered."""
    for operation in graph.get_operations():
        for tensor in () if operation.type in _WEIGHTS else operation.outputs:
            numbers = tensor.shape.num_elements() if tensor.shape.rank is not None else None
            if numbers is not None and numbers > MOST_NUMBERS:
                raise ModelError(f"{name} makes {numbers:,} numbers of one image in one step; choose a smaller --imgsz")


def _images(shape: tuple[int, int, int]) -> list[NDArray[np.float32]]:
    """float32 `[1, H, W, C]` each, levels 0 to 255."""
    noise = np.random.default_rng(0).integers(0, 256, shape)
    ramp = np.broadcast_to(np.linspace(0, 255, shape[1])[:, None], shape)
    return [np.asarray(image, np.float32)[None] for image in (np.zeros(shape), np.full(shape, 255), noise, ramp)]
