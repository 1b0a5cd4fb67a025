"""A trained network as one frozen graph that honours the model contract."""

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeclf.train.results.saving import KerasModel

INPUT = "image"
OUTPUT = "probabilities"


def freeze(model: KerasModel, input_type: tf.DType) -> tf.types.experimental.ConcreteFunction:
    """A graph from `image`, `input_type` `[batch, H, W, C]` of 0 to 255, to `probabilities`, float32 `[batch, classes]`.

    In inference mode, with every weight a constant: converters stumble over variables, and over the extra inputs that
    `keras.Model.export` leaves with some networks.
    """
    shape = (None, *model.card.preprocess.shape)

    def serve(image: tf.Tensor) -> tf.Tensor:
        raw = model.network(tf.cast(image, tf.float32), training=False)
        both = tf.concat([1.0 - raw, raw], axis=1) if model.card.head == "sigmoid" else raw
        return tf.identity(both, name=OUTPUT)

    traced = tf.function(serve, input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)], autograph=False)
    return convert_variables_to_constants_v2(traced.get_concrete_function())
