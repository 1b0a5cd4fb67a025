"""The operations of TFLite that quantisation-aware training knows, computed by TensorFlow in float."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.qat.graph import Operation

_PADDINGS = ("SAME", "VALID")
_ACTIVATIONS: dict[int, Callable[[tf.Tensor], tf.Tensor]] = {0: tf.identity, 1: tf.nn.relu, 3: tf.nn.relu6}
_Compute = Callable[[Operation, list[Any]], tf.Tensor]


def compute(operation: Operation, inputs: list[Any]) -> tf.Tensor:
    """The output of an operation. inputs: tensors, NumPy arrays for constants, kernels as `to_tensorflow` returns them."""
    result = OPERATIONS[operation.kind](operation, inputs)
    return _ACTIVATIONS[getattr(operation.options, "fusedActivationFunction", 0)](result)


def is_known(operation: Operation) -> bool:
    """Whether `compute` can compute it."""
    activation = getattr(operation.options, "fusedActivationFunction", 0)
    return operation.kind in OPERATIONS and activation in _ACTIVATIONS


def to_tensorflow(kind: str, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A kernel of TFLite in TensorFlow's layout, output channels last. kind: of its operation, "" for a bias."""
    if kind == "CONV_2D":
        return kernel.transpose(1, 2, 3, 0)
    if kind == "DEPTHWISE_CONV_2D":
        return kernel.reshape(kernel.shape[1:])
    return kernel.T if kind == "FULLY_CONNECTED" else kernel.reshape(-1)


def to_tflite(kind: str, kernel: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The reverse of `to_tensorflow`. shape: in TFLite."""
    if kind == "CONV_2D":
        return kernel.transpose(3, 0, 1, 2)
    return kernel.T if kind == "FULLY_CONNECTED" else kernel.reshape(shape)


def _convolve(operation: Operation, inputs: list[Any]) -> tf.Tensor:
    options = operation.options
    strides, padding = (options.strideH, options.strideW), _PADDINGS[options.padding]
    dilations = (options.dilationHFactor, options.dilationWFactor)
    return _with_bias(tf.nn.convolution(inputs[0], inputs[1], strides, padding, dilations=dilations), inputs)


def _convolve_depthwise(operation: Operation, inputs: list[Any]) -> tf.Tensor:
    options = operation.options
    shape = (*inputs[1].shape[:2], inputs[0].shape[-1], options.depthMultiplier)
    kernel = inputs[1].reshape(shape) if isinstance(inputs[1], np.ndarray) else tf.reshape(inputs[1], shape)
    strides, padding = (1, options.strideH, options.strideW, 1), _PADDINGS[options.padding]
    dilations = (options.dilationHFactor, options.dilationWFactor)
    return _with_bias(tf.nn.depthwise_conv2d(inputs[0], kernel, strides, padding, dilations=dilations), inputs)


def _connect(operation: Operation, inputs: list[Any]) -> tf.Tensor:
    rows = tf.reshape(inputs[0], (-1, inputs[1].shape[0]))
    return tf.reshape(_with_bias(tf.matmul(rows, inputs[1]), inputs), (-1, *operation.shape[1:]))


def _with_bias(result: tf.Tensor, inputs: list[Any]) -> tf.Tensor:
    return tf.nn.bias_add(result, inputs[2]) if len(inputs) > 2 and inputs[2] is not None else result


def _pool(function: Callable[..., tf.Tensor]) -> _Compute:
    def compute_pool(operation: Operation, inputs: list[Any]) -> tf.Tensor:
        options = operation.options
        window, strides = (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
        return function(inputs[0], window, strides, _PADDINGS[options.padding])

    return compute_pool


def _mean(operation: Operation, inputs: list[Any]) -> tf.Tensor:
    return tf.reduce_mean(inputs[0], [int(axis) for axis in np.ravel(inputs[1])], keepdims=operation.options.keepDims)


def _hard_swish(_: Operation, inputs: list[Any]) -> tf.Tensor:
    return inputs[0] * tf.nn.relu6(inputs[0] + 3.0) * (1 / 6)


def _one(function: Callable[[Any], tf.Tensor]) -> _Compute:
    return lambda _, inputs: function(inputs[0])


OPERATIONS: dict[str, _Compute] = {
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve_depthwise,
    "FULLY_CONNECTED": _connect,
    "ADD": lambda _, inputs: tf.add(inputs[0], inputs[1]),
    "SUB": lambda _, inputs: tf.subtract(inputs[0], inputs[1]),
    "MUL": lambda _, inputs: tf.multiply(inputs[0], inputs[1]),
    "CONCATENATION": lambda operation, inputs: tf.concat(inputs, operation.options.axis),
    "MEAN": _mean,
    "MAX_POOL_2D": _pool(tf.nn.max_pool2d),
    "AVERAGE_POOL_2D": _pool(tf.nn.avg_pool2d),
    "RESHAPE": lambda operation, inputs: tf.reshape(inputs[0], (-1, *operation.shape[1:])),
    "PAD": lambda _, inputs: tf.pad(inputs[0], inputs[1]),
    "HARD_SWISH": _hard_swish,
    "LOGISTIC": _one(tf.sigmoid),
    "SOFTMAX": _one(tf.nn.softmax),
    "RELU": _one(tf.nn.relu),
    "RELU6": _one(tf.nn.relu6),
}
