"""The devices that TensorFlow trains on: all GPUs that it sees, or the CPU."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from edgeclf.runtime.errors import DeviceError


def several_devices() -> AbstractContextManager[Any]:
    """A context that builds a network once per GPU and splits each batch among them. Does nothing for fewer than two."""
    devices = tf.config.list_logical_devices("GPU")
    if len(devices) < 2:
        return nullcontext()
    scope: AbstractContextManager[Any] = tf.distribute.MirroredStrategy([device.name for device in devices]).scope()
    return scope


class HalfPrecision:
    """A context in which layers compute in float16 and keep float32 weights. Raises DeviceError without a GPU."""

    def __init__(self, wanted: bool) -> None:
        if wanted and not tf.config.list_physical_devices("GPU"):
            raise DeviceError("--mixed-precision needs a GPU, and TensorFlow finds none; leave it out")
        self.wanted = wanted

    def __enter__(self) -> None:
        if self.wanted:
            keras.config.set_dtype_policy("mixed_float16")

    def __exit__(self, *_: object) -> None:
        keras.config.set_dtype_policy("float32")
