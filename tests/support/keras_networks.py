"""Small Keras networks for 16 x 20 images, and images for them."""

from typing import Any

import keras
import numpy as np
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
