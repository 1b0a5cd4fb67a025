"""The head of a pretrained network: its last layer, fitted to the features of the frozen layers before it."""

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.train.batches import Inputs
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.gain import image_losses
from edgeclf.train.logistic_regression import Examples, Head, fit_head
from edgeclf.train.networks.architectures import head_of
from edgeclf.train.networks.pretrained import count_earlier


def fit_last_layer(network: keras.Model, features: Inputs, train: Arrays, balance: Mapping[int, float] | None) -> Head:
    """Set the weights of the last layer to those that explain the training images best.

    features: of all images of `train`, one view after the other. balance: the weight of each class.
    """
    outputs = network.layers[-1].kernel.shape[1]
    targets = _targets(train, max(outputs, 2))
    views = len(features) // len(train)
    weights = np.array([balance[label] for label in train.labels] if balance else np.ones(len(train)), np.float32)
    (values,) = features.values
    examples = Examples(
        values, np.tile(targets, (views, 1)), np.tile(weights / views, views), earlier=count_earlier(network)
    )
    head = fit_head(examples, len(train))
    kernel, bias = head.kernel, head.bias
    if head_of(network) == "sigmoid":  # the logit of the second class against that of the first
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    network.layers[-1].set_weights([kernel, bias])
    return head


def measure(head: Head, features: Inputs, images: Arrays) -> tuple[float, float, NDArray[np.float64]]:
    """Mean cross-entropy and accuracy for the first view of each image, and the cross-entropy of each, `[N]`."""
    found = head.probabilities(features.values[0][: len(images)])
    targets = _targets(images, found.shape[1])
    soft = -(targets * np.log(np.maximum(found, keras.config.epsilon()))).sum(axis=1)
    accuracy = float((found.argmax(axis=1) == targets.argmax(axis=1)).mean())
    return float(soft.mean()), accuracy, image_losses(found, images.labels)


def _targets(images: Arrays, classes: int) -> NDArray[np.float32]:
    """What the head should answer, float32 `[N, classes]`: labels, or what a teacher answers."""
    return np.eye(classes, dtype=np.float32)[images.labels] if images.answers is None else images.answers
