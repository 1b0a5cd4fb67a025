"""Small Keras networks for 16 x 20 images, and images for them."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

THREE = ("a", "b", "c")
TWO = ("no", "yes")
POOL = layers.GlobalAveragePooling2D


def body(*ending: keras.Layer, shape: tuple[Any, ...] = (16, 20, 3)) -> keras.Model:
    """A small network whose answers depend on the colours, with these last layers."""
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(shape), layers.Conv2D(6, 3, activation="tanh"), POOL(), *ending])


def noise(shape: tuple[int, int, int] = (16, 20, 3), count: int = 5) -> NDArray[np.uint8]:
    levels = np.random.default_rng(2).integers(1, 256, (count, 1, 1, shape[2]))
    return np.random.default_rng(1).integers(0, levels, (count, *shape)).astype(np.uint8)


def skip_if_it_runs(network: keras.Model) -> None:
    """Skip the test if TensorFlow runs `network` here: with oneDNN, some processors run channels-first convolutions."""
    try:
        network.predict_on_batch(np.zeros((1, *network.input_shape[1:]), np.float32))
    except Exception:  # whatever TensorFlow raises
        return
    pytest.skip("on this processor, TensorFlow runs what it cannot run on others")
