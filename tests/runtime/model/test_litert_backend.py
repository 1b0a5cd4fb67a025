"""The LiteRT backend: only uint8 classifiers, only numbers."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from edgeclf.runtime import Classifier, ModelCard, Preprocess
from edgeclf.runtime.errors import ModelError

CARD = ModelCard(("red", "green", "blue"), Preprocess((8, 8)))


def convert(weights: float, dtype: tf.DType = tf.uint8, size: int | None = None) -> bytes:
    """A classifier of 8 x 8 images by mean colour; every class has the same `weights`."""
    matrix = tf.constant(np.full((3, 3), weights, np.float32))

    @tf.function(input_signature=[tf.TensorSpec([size, 8, 8, 3], dtype, "image")])  # type: ignore[untyped-decorator]
    def answer(image: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.linalg.matmul(tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]), matrix))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()], answer)
    return bytes(converter.convert())


def test_uint8_classifier_made_elsewhere_is_opened_with_a_card(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(convert(0.1))

    opened = Classifier.open(tmp_path / "model.tflite", card=CARD)

    np.testing.assert_allclose(opened.predict(np.full((8, 8, 3), 9, np.uint8)).probabilities, 1 / 3, atol=1e-6)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(convert(np.nan))

    with pytest.raises(ModelError, match="no numbers"):
        Classifier.open(tmp_path / "model.tflite", card=CARD)


def test_float_input_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(convert(0.1, tf.float32))

    with pytest.raises(ModelError, match=r"does not take one uint8 image batch .*float32"):
        Classifier.open(tmp_path / "model.tflite", card=CARD)


def test_model_without_a_card_names_the_flags_that_help(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(convert(0.1))

    with pytest.raises(ModelError, match=r"carries no model card.* --classes labels\.txt"):
        Classifier.open(tmp_path / "model.tflite")


def test_int8_model_keeps_uint8_in_and_answers_in_probabilities(int8_model: Path) -> None:
    opened = Classifier.open(int8_model)

    answer = opened.probabilities(np.zeros((2, 32, 32, 3), np.uint8))

    assert (answer.dtype, answer.shape) == (np.float32, (2, 2))
    np.testing.assert_allclose(answer.sum(1), 1, atol=1e-6)
