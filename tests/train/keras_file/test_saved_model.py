"""SavedModel folders of TensorFlow become networks of Keras that give the same answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.saved_model_allowlist import OPERATIONS
from edgeclf.train.keras_file.saving import load_network, open_keras
from tests.support.keras_networks import noise
from tests.support.saved_models import write_saved_model, write_tensorflow_1

Answer = Callable[[NDArray[np.float32]], Any]


def _keras_export(path: Path) -> Answer:
    network = keras.Sequential(
        [keras.Input((16, 20, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(3)]
    )
    network.export(path, verbose=False)
    return lambda images: network(images, training=False)


def _any_size(path: Path) -> Answer:
    network = keras.Sequential([keras.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)])
    network.export(path, verbose=False)
    return network


def _label_beside(path: Path) -> Answer:
    names = tf.constant(["a", "b", "c"])
    return write_saved_model(path, lambda x: {"Confidences": x, "Label": tf.gather(names, tf.argmax(x, -1))}, batch=1)


KINDS: dict[str, Callable[[Path], Answer]] = {
    "Keras 3": _keras_export,
    "any size": _any_size,
    "one image at a time": lambda path: write_saved_model(path, batch=1),
    "uint8": lambda path: write_saved_model(path, dtype=tf.uint8),
    "a label beside the scores": _label_beside,
    "TensorFlow 1": lambda path: write_tensorflow_1(path, use_resource=False),
    "TensorFlow 1 with resources": lambda path: write_tensorflow_1(path, use_resource=True),
}


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS)
def test_a_saved_model_gives_its_answers_for_any_number_of_images(tmp_path: Path, write: Callable[[Path], Answer]) -> None:
    expected = write(tmp_path / "saved")
    images = noise().astype(np.float32)
    loaded = load_network(tmp_path / "saved")
    np.testing.assert_allclose(loaded.predict_on_batch(images), expected(images), rtol=1e-5, atol=1e-4)  # sums of 100
    assert loaded.output_shape == (None, 3)


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS)
def test_its_operations_can_be_looked_at_and_converted(tmp_path: Path, write: Callable[[Path], Answer]) -> None:
    write(tmp_path / "saved")
    network = load_network(tmp_path / "saved")
    spec = tf.TensorSpec((1, 16, 20, 3), tf.float32)
    traced = tf.function(lambda image: network(image, training=False), [spec], autograph=False).get_concrete_function()
    kinds = {operation.type for operation in traced.graph.get_operations()}
    assert kinds <= OPERATIONS - {"ReadVariableOp"}


OTHERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "two outputs": (lambda path: write_saved_model(path, lambda x: {"a": x, "b": x + 1}), "returns 2 outputs of scores"),
    "no scores": (lambda path: write_saved_model(path, lambda x: tf.argmax(x, -1)), "returns 0 outputs of scores"),
    "text": (lambda path: _save(path, tf.TensorSpec((None,), tf.string)), "takes text or encoded files"),
    "any shape": (lambda path: _save(path, tf.TensorSpec(None, tf.float32)), "does not say what shape its images have"),
    "two inputs": (lambda path: _save(path, *[tf.TensorSpec((None, 3), tf.float32)] * 2), "takes 2 inputs"),
    "no signature": (lambda path: _save(path), "has no signature"),
}


def _save(path: Path, *specs: tf.TensorSpec) -> None:
    module = tf.Module()
    module.run = tf.function(lambda *given: tf.zeros((1, 3)), specs)
    tf.saved_model.save(module, str(path), module.run if specs else None)


@pytest.mark.parametrize(("write", "problem"), OTHERS.values(), ids=OTHERS)
def test_what_is_not_an_image_classifier_is_said(tmp_path: Path, write: Callable[[Path], Any], problem: str) -> None:
    write(tmp_path / "saved")
    with pytest.raises(ModelError, match=rf"^[^\n]*saved {problem}[^\n]*; [^\n]*$"):
        load_network(tmp_path / "saved")


def test_a_saved_model_has_no_card_and_the_way_to_add_one_is_said(tmp_path: Path) -> None:
    write_saved_model(tmp_path / "saved")
    with pytest.raises(ModelError, match=r"has no model card.* clf-export .*saved --classes labels\.txt"):
        open_keras(tmp_path / "saved")
