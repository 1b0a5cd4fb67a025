"""A trained network as one frozen graph that honours the model contract."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.model.card import Head
from edgeclf.train.keras_file.saving import KerasModel

INPUT = "image"
OUTPUT = "probabilities"


def freeze(model: KerasModel, input_type: tf.DType) -> tf.types.experimental.ConcreteFunction:
    """A graph from `image`, `input_type` `[batch, H, W, C]` of 0 to 255, to `probabilities`, float32 `[batch, classes]`.

    In inference mode, with every weight a constant: converters stumble over variables, and over the extra inputs that
    `keras.Model.export` leaves with some networks. Raises ModelError where that cannot be.
    """
    shape = (None, *model.card.preprocess.shape)

    def serve(image: tf.Tensor) -> tf.Tensor:
        raw = tf.cast(model.network(tf.cast(image, tf.float32), training=False), tf.float32)
        return tf.identity(_as_probabilities(raw, model.card.head), name=OUTPUT)

    traced = tf.function(serve, input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)], autograph=False)
    try:
        with _inlined_functions():
            return convert_variables_to_constants_v2(traced.get_concrete_function())
    except ValueError as error:
        cause = f"{model.path} cannot be frozen, so it may change its own weights as it answers ({first_line(error)})"
        raise ModelError(f"{cause}; build it of layers that heed training=False") from None


def _as_probabilities(raw: tf.Tensor, head: Head) -> tf.Tensor:
    """What a head of this kind gives, as a probability a class; one unit speaks of the second of two classes."""
    one_unit = raw.shape[-1] == 1
    if head == "logits":
        raw = tf.sigmoid(raw) if one_unit else tf.nn.softmax(raw)
    return tf.concat([1.0 - raw, raw], axis=1) if one_unit else raw


@contextmanager
def _inlined_functions() -> Iterator[None]:
    """While a graph is traced, functions that a layer calls become part of it.

    Keras wraps grouped convolutions (ConvNeXt) into functions compiled by XLA, which no converter can enter.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
