"""A float TFLite graph as a TensorFlow network that computes as its INT8 form will, and whose weights and ranges train."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.qat.graph import SAME_SCALE, WEIGHTED, FloatGraph, Range
from edgeclf.export.qat.operations import compute, is_known, to_tensorflow, to_tflite
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import INPUT

_FIXED = {"LOGISTIC": (0.0, 255 / 256)}
"""Ranges that the INT8 operation itself fixes in TFLite."""
_RANGE_RATE = 20.0
"""How much faster the ends of a range move, relative to their size, than a weight."""
_SMALLEST = 1e-6


class QuantizedNetwork:
    """Fake quantisation where the INT8 file has integers, with straight-through gradients.

    Kernels are symmetric per output channel; the scale follows their largest number. Activations have one range per tensor,
    which begins as calibrated and is trained. Softmax or sigmoid at the end stay in float.
    Raises ModelError for a network that it does not know.
    """

    def __init__(self, graph: FloatGraph, path: Path) -> None:
        unknown = sorted({one.kind for one in graph.operations if not is_known(one)})
        if unknown or not graph.body:
            problem = f"has {', '.join(unknown)}, which --qat cannot train" if unknown else "has no layer with weights"
            raise ModelError(f"{path} {problem}; leave out --qat")
        self.graph = graph
        self.kernels = {
            index: tf.Variable(to_tensorflow(kind, graph.constants[index])) for index, kind in graph.trainable.items()
        }
        self._scale_of = {index: index for index in graph.ranges}
        for one in graph.operations[: graph.body]:
            if one.kind in SAME_SCALE:
                self._scale_of[one.output] = self._scale_of[one.inputs[0]]
        for one in graph.further:
            if one.kind in SAME_SCALE and one.inputs[0] in self._scale_of:
                self._scale_of[one.output] = self._scale_of[one.inputs[0]]
        self._fixed = {graph.input: (0.0, 255.0)}
        self._fixed |= {one.output: _FIXED[one.kind] for one in graph.operations[: graph.body] if one.kind in _FIXED}
        learned = sorted(set(self._scale_of.values()) - set(self._fixed))
        self._moves = {index: tf.Variable(tf.zeros(2)) for index in learned}
        self._is_frozen = False

    @property
    def variables(self) -> list[tf.Variable]:
        """All that is trained: kernels, biases, and the ends of the ranges."""
        return [*self.kernels.values(), *self._moves.values()]

    def state(self) -> list[NDArray[np.float32]]:
        """Copies of the variables' numbers: `numpy()` may be a view, which training would change."""
        return [np.array(variable.numpy()) for variable in self.variables]

    def frozen(self) -> tf.types.experimental.ConcreteFunction:
        """The trained network as a graph of constants. Its kernels are in float, not yet rounded."""
        self._is_frozen = True
        shape = (None, *self.graph.input_shape)
        traced = tf.function(self, input_signature=[tf.TensorSpec(shape, tf.uint8, name=INPUT)], autograph=False)
        try:
            return traced.get_concrete_function()
        finally:
            self._is_frozen = False

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """From uint8 images `[N, H, W, C]` to the output of the network, float32 `[N, units]`."""
        graph = self.graph
        values: dict[int, Any] = {graph.input: self._activations(graph.input, tf.cast(images, tf.float32))}
        for position, one in enumerate(graph.operations):
            in_body = position < graph.body
            inputs = [self._value(index, values) for index in one.inputs]
            if in_body and one.kind in ("ADD", "SUB", "MUL"):
                inputs = [_quantized_constant(each) if isinstance(each, np.ndarray) else each for each in inputs]
            result = compute(one, inputs)
            values[one.output] = self._activations(one.output, result) if in_body else result
        return values[graph.output]

    def trained_weights(self) -> dict[int, NDArray[np.float32]]:
        """Kernels and biases in TFLite's layout."""
        graph = self.graph
        return {
            index: to_tflite(graph.trainable[index], kernel.numpy(), graph.constants[index].shape)
            for index, kernel in self.kernels.items()
        }

    def trained_ranges(self) -> dict[int, Range]:
        """The range of each activation, as it was trained."""
        return {index: self._trained_ends(root) for index, root in self._scale_of.items()}

    def _value(self, index: int, values: dict[int, Any]) -> Any:
        if index in self.kernels and self._is_frozen:
            return _numbers(self.kernels[index])
        if index in self.kernels:
            is_kernel = self.graph.trainable[index] in WEIGHTED
            return _quantized_kernel(self.kernels[index]) if is_kernel else self.kernels[index]
        return values[index] if index in values else self.graph.constants.get(index)

    def _activations(self, index: int, values: tf.Tensor) -> tf.Tensor:
        root = self._scale_of[index]
        low, high = self._trained_ends(root) if self._is_frozen else self._ends(root)
        return tf.quantization.fake_quant_with_min_max_vars(values, low, high)

    def _trained_ends(self, root: int) -> Range:
        with tf.init_scope():  # numbers, also while a graph is traced
            low, high = self._ends(root)
            return float(low), float(high)

    def _ends(self, root: int) -> tuple[Any, Any]:
        if root in self._fixed:
            return self._fixed[root]
        low, high = self.graph.ranges[root]
        factors = tf.maximum(1.0 + _RANGE_RATE * self._moves[root], _SMALLEST)
        return low * factors[0], tf.maximum(high * factors[1], _SMALLEST)


def _numbers(variable: tf.Variable) -> NDArray[np.float32]:
    with tf.init_scope():  # outside of the graph that is traced
        numbers: NDArray[np.float32] = variable.numpy()
        return numbers


def _quantized_kernel(kernel: tf.Variable) -> tf.Tensor:
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(kernel), axis=range(kernel.shape.rank - 1)))
    largest = tf.maximum(largest, _SMALLEST)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -largest, largest, narrow_range=True)


def _quantized_constant(numbers: NDArray[np.float32]) -> tf.Tensor:
    low, high = min(float(numbers.min()), 0.0), max(float(numbers.max()), 0.0)
    return tf.quantization.fake_quant_with_min_max_vars(tf.constant(numbers), low, max(high, low + _SMALLEST))
