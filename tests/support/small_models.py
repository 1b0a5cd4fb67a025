"""Model files from TensorFlow and Keras without a card, as other people make them; kept with the tests like the trained run.

`colour.tflite` names the strongest colour of an 8 x 8 image, `colour.float.tflite` is the same with a float input, and
`nested.keras` is a network inside a network. `uint8_*.tflite` take and return uint8, as TensorFlow's guide converts a
network; they end in a softmax, in scores, in one sigmoid per class, or in 600 sigmoids that hardly reach the first step.
`python -m tests.support.trained_run` makes them again.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from edgeclf.runtime.model.card import CARD_MEMBER
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY

COLOUR_WEIGHTS = np.eye(3, dtype=np.float32) * np.float32(0.1)
"""With these weights for the mean red, green and blue, the strongest colour wins."""


UINT8_ENDINGS = (
    ("softmax", "softmax", 4, 0.0),
    ("scores", None, 4, 0.0),
    ("negative_scores", None, 4, -6.0),
    ("labels", "sigmoid", 4, 0.0),
    ("rare_labels", "sigmoid", 600, -16.0),
)


def write_small_models(folder: Path) -> None:
    import tensorflow as tf

    (folder / "colour.tflite").write_bytes(_colour_tflite(tf.uint8))
    (folder / "colour.float.tflite").write_bytes(_colour_tflite(tf.float32))
    _write_nested_keras(folder / "nested.keras")
    for name, activation, classes, bias in UINT8_ENDINGS:
        (folder / f"uint8_{name}.tflite").write_bytes(_uint8_tflite(activation, classes, bias))


def append_card(tflite: bytes, card_text: str, comment: bytes = f"{DIGEST_KEY}:{BLANK_DIGEST}".encode()) -> bytes:
    """A `.tflite` file as the exporter makes it: a zip is appended, with the card, and the digest as the zip's comment."""
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CARD_MEMBER, card_text)
        archive.comment = comment
    return file.getvalue()


def _colour_tflite(input_type: object) -> bytes:
    import tensorflow as tf

    def classify(image: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.linalg.matmul(tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]), COLOUR_WEIGHTS)
        return {"probabilities": tf.nn.softmax(scores)}

    module = tf.Module()
    signature = [tf.TensorSpec([None, 8, 8, 3], input_type, "image")]
    module.serve = tf.function(classify, input_signature=signature, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    return bytes(converter.convert())


def _uint8_tflite(activation: str | None, classes: int, bias: float) -> bytes:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(5)
    dense = keras.layers.Dense(classes, activation, kernel_initializer=keras.initializers.RandomNormal(stddev=2))
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D(), dense]
    network = keras.Sequential(layers)
    dense.set_weights([dense.get_weights()[0], np.full(classes, bias, np.float32)])
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 1, 1, 3)) * np.ones((8, 8, 1), np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [image.astype(np.float32)] for image in (images[0] * 0, images[0] * 0 + 255, *images)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def _write_nested_keras(path: Path) -> None:
    import keras

    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.ReLU()], name="inner")
    image = keras.Input((8, 8, 3), name="image")
    hidden = keras.layers.GlobalAveragePooling2D()(inner(image))
    keras.Model(image, keras.layers.Dense(3, activation="softmax")(hidden)).save(path)
