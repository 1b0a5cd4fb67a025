"""Finds the feature maps that an embedding is the average of, and joins them into one."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_SHAPING = {"Identity", "Cast", "Reshape", "Squeeze", "StopGradient", "PreventGradient", "FakeQuantWithMinMaxVars"}
_SPATIAL_AXES = {(1, 2), (-3, -2)}
_LAST_AXES = {1, -1}


@dataclass(frozen=True)
class Average:
    """A part of an embedding: `factor` times the average over all places of a feature map, `[batch, h, w, d]`."""

    features: tf.Tensor
    factor: float


def averages_in(embedding: tf.Tensor) -> tuple[Average, ...]:
    """The parts of an embedding, `[batch, D]`, in their order; none if any of it is no average."""
    joined = behind_shaping(embedding)
    parts = [joined]
    if joined.op.type == "ConcatV2" and int(tf.get_static_value(joined.op.inputs[-1])) in _LAST_AXES:
        parts = list(joined.op.inputs)[:-1]
    found = [average for part in parts if (average := _average(part)) is not None]
    depth = sum(average.features.shape[3] for average in found)
    if len(found) < len(parts) or depth != embedding.shape[1] or _places(found[-1].features) == 1:
        return ()
    return tuple(found)


def join(averages: tuple[Average, ...], features: list[tf.Tensor]) -> tf.Tensor:
    """One feature map, `[batch, h, w, D]`, whose average is the embedding, as large as the last one of its parts."""
    height, width = features[-1].shape[1:3]
    parts = [
        _shrink(values, height, width) * average.factor if average.factor != 1 else _shrink(values, height, width)
        for average, values in zip(averages, features, strict=True)
    ]
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=3)


def behind_shaping(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor with the same numbers, before its shape and its type were changed, and its numbers rounded."""
    while tensor.op.type in _SHAPING:
        tensor = tensor.op.inputs[0]
    return tensor


def _average(part: tf.Tensor) -> Average | None:
    pooled, factor = _without_factor(behind_shaping(part))
    if pooled.op.type != "Mean":
        return None
    features, axes = pooled.op.inputs[0], tf.get_static_value(pooled.op.inputs[1])
    is_global = axes is not None and tuple(sorted(axes.ravel().tolist())) in _SPATIAL_AXES
    return Average(features, factor) if is_global and features.shape.rank == 4 and None not in features.shape[1:] else None


def _without_factor(tensor: tf.Tensor) -> tuple[tf.Tensor, float]:
    """The tensor before it was multiplied by a number, and that number. Adding zero changes nothing."""
    factor = 1.0
    while tensor.op.type in ("Mul", "AddV2"):
        number = tf.get_static_value(tensor.op.inputs[1])
        if number is None or number.size != 1 or (tensor.op.type == "AddV2" and number != 0):
            break
        factor *= float(number) if tensor.op.type == "Mul" else 1.0
        tensor = behind_shaping(tensor.op.inputs[0])
    return tensor, factor


def _places(features: tf.Tensor) -> int:
    return int(features.shape[1] * features.shape[2])


def _shrink(features: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Average neighbouring places, so that the average of all stays the same."""
    _, rows, columns, depth = features.shape
    if (rows, columns) == (height, width):
        return features
    if rows % height == 0 and columns % width == 0:
        window = (rows // height, columns // width)
        return tf.nn.avg_pool2d(features, window, window, "VALID")
    shrunk = tf.matmul(tf.constant(_shares(rows, height)), tf.reshape(features, (-1, rows, columns * depth)))
    return tf.matmul(tf.constant(_shares(columns, width)), tf.reshape(shrunk, (-1, height, columns, depth)))


def _shares(before: int, after: int) -> NDArray[np.float32]:
    """How much each of `before` places counts in each of `after`, `[after, before]`: the share that they have in common.

    >>> (3 * _shares(3, 2)).round().tolist()
    [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    """
    edges, starts = np.arange(after + 1) * (before / after), np.arange(before)
    common = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.maximum(common, 0) * (after / before), np.float32)
