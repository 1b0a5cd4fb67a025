"""What a network is fitted to: labels, or the probabilities that a teacher answers, and the losses for both."""

from typing import Any

import keras

from edgeclf.runtime.model.card import Head
from edgeclf.train.batches import Inputs
from edgeclf.train.data.arrays import Arrays


def targets(images: Arrays, head: Head) -> Inputs:
    """The images with their labels, or with a teacher's answers if there are any."""
    if images.answers is None:
        return Inputs(images.images, images.labels)
    first = 1 if head == "sigmoid" else 0  # a sigmoid answers only for the second class
    return Inputs(images.images, images.answers[:, first:])


def loss_and_accuracy(head: Head, *, is_taught: bool) -> tuple[str, Any]:
    """Loss and metric for `compile`, the metric under the name `accuracy`."""
    if head == "sigmoid":
        return "binary_crossentropy", keras.metrics.MeanMetricWrapper(_agree, name="accuracy") if is_taught else "accuracy"
    return ("categorical_crossentropy" if is_taught else "sparse_categorical_crossentropy"), "accuracy"


def _agree(wanted: Any, answered: Any) -> Any:
    """Whether both are for the same class; Keras's own accuracy takes labels of exactly 0 and 1."""
    return keras.ops.cast((wanted > 0.5) == (answered > 0.5), "float32")
