"""Freezes a trained network into one graph that follows the model contract."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.backend import INPUT, OUTPUT
from edgeclf.runtime.model.card import Head
from edgeclf.train.keras_file.reason import reason
from edgeclf.train.keras_file.saving import KerasModel


def freeze(model: KerasModel, input_type: tf.DType) -> tf.types.experimental.ConcreteFunction:
    """A graph that takes `image`, `input_type` `[batch, H, W, C]`, 0 to 255, and returns `probabilities`, float32
    `[batch, classes]`.

    It is in inference mode and every weight is a constant, because converters fail on variables, and on the extra inputs
    that `keras.Model.export` leaves in some networks. Raises ModelError if the network cannot be frozen.
    """
    shape = (None, *model.card.preprocess.shape)

    def serve(image: tf.Tensor) -> tf.Tensor:
        raw = tf.cast(model.network(tf.cast(image, tf.float32), training=False), tf.float32)
        return tf.identity(_as_probabilities(raw, model.card.head), name=OUTPUT)

    traced = tf.function(serve, input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)], autograph=False)
    try:
        with _inlined_functions():
            return convert_variables_to_constants_v2(traced.get_concrete_function())
    except Exception as error:  # layers raise many classes without a common base
        problem = f"{model.path} cannot be frozen, maybe because it updates its weights during inference ({reason(error)})"
        raise ModelError(f"{problem}; use layers that respect training=False") from None


def _as_probabilities(raw: tf.Tensor, head: Head) -> tf.Tensor:
    """The output of a head as one probability per class. A single unit is the probability of the second class."""
    one_unit = raw.shape[-1] == 1
    if head == "logits":
        raw = tf.sigmoid(raw) if one_unit else tf.nn.softmax(raw)
    return tf.concat([1.0 - raw, raw], axis=1) if one_unit else raw


@contextmanager
def _inlined_functions() -> Iterator[None]:
    """Inline the functions that layers call into the graph while it is traced.

    Keras wraps grouped convolutions (ConvNeXt) in XLA-compiled functions, which converters cannot read.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
