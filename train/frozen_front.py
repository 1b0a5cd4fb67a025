"""The frozen layers of a pretrained network, run on all cores by LiteRT, which needs half of Keras's processor time."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.pipeline import ordered_map

BATCH = 4
"""Images in one call. On two cores, larger batches of 256 x 256 images were slower, in Keras and in LiteRT."""
TOLERANCE = 1e-3
"""The largest difference between LiteRT and Keras, as a share of the largest feature."""

WORTH_CONVERTING = 500
"""For fewer images, the conversion takes longer than it saves: it takes as long as Keras takes for some 400 images."""

Features = list[NDArray[np.float32]]


class FrozenFront:
    """The layers from the input of `network` to each of `tensors`, in inference mode.

    Keras runs them if there is a GPU, if there are few images, if LiteRT is not installed or cannot run the network, or if
    it does not agree with Keras on the first images.
    """

    def __init__(self, network: keras.Model, tensors: Sequence[keras.KerasTensor], images: Pixels) -> None:
        """images: most of those that will be run, uint8 `[N, H, W, C]`."""
        self.tensors = tuple(tensors)
        self._network = keras.Model(network.input, list(tensors))
        self._local = threading.local()
        self._tflite = b""
        has_litert = find_spec("ai_edge_litert") is not None
        if has_litert and len(images) >= WORTH_CONVERTING and not tf.config.list_physical_devices("GPU"):
            self._tflite = _convert(self._network)
            if self._tflite and not self._agrees(images[:BATCH]):
                self._tflite = b""

    @property
    def engine(self) -> str:
        return "LiteRT" if self._tflite else "Keras"

    def __call__(self, images: Iterable[Pixels]) -> Iterator[Features]:
        """The features of each batch of images, in order: for each tensor, float32 `[N, ...]`."""
        if not self._tflite:
            return map(self._run_keras, images)
        return ordered_map(self._run_litert, images, usable_cores())

    def _agrees(self, images: Pixels) -> bool:
        try:
            found = self._run_litert(images)
        except (RuntimeError, ValueError):
            return False
        pairs = zip(found, self._run_keras(images), strict=True)
        return all(np.abs(mine - theirs).max() <= TOLERANCE * np.abs(theirs).max() for mine, theirs in pairs)

    def _run_keras(self, images: Pixels) -> Features:
        found = self._network.predict_on_batch(images.astype(np.float32))
        return found if isinstance(found, list) else [found]  # Keras unpacks a list of one output

    def _run_litert(self, images: Pixels) -> Features:
        if not hasattr(self._local, "interpreter"):  # it can only be used by one thread
            from ai_edge_litert.interpreter import Interpreter

            self._local.interpreter = Interpreter(model_content=self._tflite, num_threads=1)
        interpreter = self._local.interpreter
        (entry,) = interpreter.get_input_details()
        if entry["shape"].tolist() != list(images.shape):
            interpreter.resize_tensor_input(entry["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], images)
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


def _convert(network: keras.Model) -> bytes:
    """A TFLite file with a uint8 input; b"" if the network cannot be converted."""
    signature = [tf.TensorSpec(network.input_shape, tf.uint8)]
    traced = tf.function(lambda image: network(tf.cast(image, tf.float32), training=False), signature, autograph=False)
    try:
        frozen = convert_variables_to_constants_v2(traced.get_concrete_function())
        return bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())
    except Exception:  # the converter's errors have no common base class; Keras can run every network
        return b""
