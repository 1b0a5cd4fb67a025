"""What a network is fitted to: labels, or the probabilities that a teacher answers, and the losses for both."""

from typing import Any

import keras
import numpy as np

from edgeclf.runtime.model.card import Head
from edgeclf.train.batches import Inputs
from edgeclf.train.data.arrays import Arrays


def inputs(train: Arrays, val: Arrays, head: Head) -> tuple[Inputs, Inputs]:
    """Both splits with their targets. With a teacher's answers, the labels of the validation split have the same shape."""
    if train.answers is None:
        return Inputs((train.images,), train.labels), Inputs((val.images,), val.labels)
    known = np.eye(train.answers.shape[1], dtype=np.float32)[val.labels]
    first = 1 if head == "sigmoid" else 0  # a sigmoid answers only for the second class
    return Inputs((train.images,), train.answers[:, first:]), Inputs((val.images,), known[:, first:])


def loss_and_accuracy(head: Head, *, is_taught: bool) -> tuple[str, Any]:
    """Loss and metric for `compile`, the metric under the name `accuracy`."""
    if head == "sigmoid":
        return "binary_crossentropy", keras.metrics.MeanMetricWrapper(_agree, name="accuracy") if is_taught else "accuracy"
    return ("categorical_crossentropy" if is_taught else "sparse_categorical_crossentropy"), "accuracy"


def _agree(wanted: Any, answered: Any) -> Any:
    """Whether both are for the same class; Keras's own accuracy takes labels of exactly 0 and 1."""
    return keras.ops.cast((wanted > 0.5) == (answered > 0.5), "float32")
