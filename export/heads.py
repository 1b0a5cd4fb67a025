"""Detects whether a network from elsewhere ends in probabilities or in logits.

A mistake would go unnoticed: the predictions look plausible and only the confidences are wrong. So a doubtful case is
refused, and the owner has to decide.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.card import Head
from edgeclf.runtime.model.output_contract import probe_images
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.keras_file.config_check import MAX_ARRAY_NUMBERS
from edgeclf.train.keras_file.reason import running

_SHAPING = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "EnsureShape", "PreventGradient"}
_GROWING = {"BroadcastTo", "Fill", "LinSpace", "OneHot", "Pad", "PadV2", "Range", "Tile"}
_WEIGHTS = {"Const", "Placeholder", "ReadVariableOp"}
_SCORES = {"BiasAdd", "MatMul", "BatchMatMulV2", "Conv2D", "Einsum", "LogSoftmax"}
_ARITHMETIC = {"AddV2", "AddN", "Sub", "Mul", "RealDiv", "Mean", "Sum", "ConcatV2", "Pack", "FusedBatchNormV3"}
_TOLERANCE = 1e-3  # float16 networks round their probabilities


@dataclass(frozen=True, eq=False)
class OutputProbe:
    """What is known about the output of a network.

    name: of the model, for messages. operation: the TensorFlow operation that makes the output.
    outputs: float32 `[4, units]`, for a black, a white and a noise image and a gradient.
    """

    name: str
    operation: str
    outputs: NDArray[np.float32]

    @classmethod
    def of(cls, network: keras.Model, shape: tuple[int, int, int], name: str) -> "OutputProbe":
        """Trace and run a network that takes images of `shape`, 0 to 255. Raises ModelError."""
        traced = tf.function(lambda image: network(image, training=False), autograph=False)
        with running(name):
            concrete = traced.get_concrete_function(tf.TensorSpec((1, *shape), tf.float32))
        _check_sizes(concrete.graph, name)
        operation = concrete.outputs[0].op
        while operation.type in _SHAPING:
            operation = operation.inputs[0].op
        with running(name):
            outputs = np.concatenate([concrete(tf.constant(image, tf.float32)).numpy() for image in probe_images(shape)])
        return cls(name, operation.type, outputs.astype(np.float32))

    @property
    def units(self) -> int:
        return int(self.outputs.shape[1])

    @property
    def lies_between_0_and_1(self) -> bool:
        return bool((self.outputs >= -_TOLERANCE).all() and (self.outputs <= 1 + _TOLERANCE).all())

    @property
    def sums_to_1(self) -> bool:
        return self.lies_between_0_and_1 and bool((np.abs(self.outputs.sum(axis=1) - 1) < _TOLERANCE).all())


def detect_head(probe: OutputProbe) -> Head:
    """The kind of output, from the last operation and the outputs. Raises ModelError if they leave a doubt."""
    name, operation, units = probe.name, probe.operation, probe.units
    if not np.isfinite(probe.outputs).all():
        raise ModelError(f"{name} returns NaN or infinity; train it again, or check --scale")
    if units > 1 and probe.sums_to_1:
        return "softmax"
    if operation == "Sigmoid" and units == 1:
        return "sigmoid"
    if operation == "Sigmoid":
        problem = f"{name} ends in {units} sigmoid units, one yes or no per class, but edgeclf predicts one class"
        raise ModelError(f"{problem}; to put a softmax on top, use --head logits")
    if operation == "Softmax":
        axis = "one unit, which is always 1" if units == 1 else "another axis than its classes"
        raise ModelError(f"{name} ends in a softmax over {axis}; train it with a sigmoid, or with one unit per class")
    if units == 1:
        problem = (
            f"{name} ends in one {operation} unit, which can be a number (a regression) or the score of the second class"
        )
        choice = (
            "--head sigmoid or --head logits" if operation not in _SCORES and probe.lies_between_0_and_1 else "--head logits"
        )
        raise ModelError(f"{problem}; if it is the score, use {choice}")
    if operation in _SCORES or (operation in _ARITHMETIC and not probe.lies_between_0_and_1):
        return "logits"
    problem = f"{name} ends in {operation}, which may or may not return probabilities"
    raise ModelError(f"{problem}; choose --head softmax or --head logits")


def choose_head(probe: OutputProbe, head: Head) -> Head:
    """The owner's choice. Raises OptionError if the outputs contradict it."""
    problem = f"--head {head} does not fit {probe.name}"
    if head == "sigmoid" and (probe.units != 1 or not probe.lies_between_0_and_1):
        raise OptionError(f"{problem}, {_observed(probe)}; a sigmoid is one unit from 0 to 1")
    if head == "softmax" and (probe.units == 1 or not probe.sums_to_1):
        raise OptionError(f"{problem}, {_observed(probe)}; a softmax has one unit per class, and they sum to 1")
    return head


def _observed(probe: OutputProbe) -> str:
    low, high = probe.outputs.min(), probe.outputs.max()
    return f"which has {plural(probe.units, 'unit')} and returned {low:.3g} to {high:.3g} for test images"


def _check_sizes(graph: tf.Graph, name: str) -> None:
    """Refuse intermediate results that would not fit into memory, before the first image runs."""
    for operation in graph.get_operations():
        for tensor in () if operation.type in _WEIGHTS else operation.outputs:
            numbers = tensor.shape.num_elements() if tensor.shape.rank is not None else None
            if numbers is None and operation.type in _GROWING:
                problem = f"{name} computes an array whose size depends on its pixels ({operation.type})"
                raise ModelError(f"{problem}; remove the layer that computes it, and save the model again")
            if numbers is not None and numbers > MAX_ARRAY_NUMBERS:
                raise ModelError(f"{name} computes {numbers:,} numbers in one step per image; choose a smaller --imgsz")
