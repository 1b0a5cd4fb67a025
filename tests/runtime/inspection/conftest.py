"""Model files of all three formats, made in no time and without a training run."""

import io
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.runtime import ModelCard
from edgeclf.runtime.model.card import CARD_MEMBER
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest


@pytest.fixture(scope="session")
def bare_tflite(colour_weights: NDArray[np.float32]) -> bytes:
    """A TFLite classifier of 8 x 8 images by mean colour, without a card."""
    module = tf.Module()
    module.serve = tf.function(
        lambda image: {
            "probabilities": tf.nn.softmax(
                tf.linalg.matmul(tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]), colour_weights)
            )
        },
        input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8, "image")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    return bytes(converter.convert())


@pytest.fixture(scope="session")
def tflite_model(bare_tflite: bytes, colour_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the exporter makes it: card and digest in an appended zip. Read only."""
    file = io.BytesIO()
    file.write(bare_tflite)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CARD_MEMBER, colour_card.to_json())
        archive.comment = f"{DIGEST_KEY}:{BLANK_DIGEST}".encode()
    path = tmp_path_factory.mktemp("tflite") / "model.tflite"
    path.write_bytes(embed_digest(file.getvalue()))
    return path


@pytest.fixture(scope="session")
def keras_model(colour_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network within a network, saved by Keras, with a card and three sample images. Read only."""
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.ReLU()], name="inner")
    image = keras.Input((8, 8, 3), name="image")
    hidden = keras.layers.GlobalAveragePooling2D()(inner(image))
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    keras.Model(image, keras.layers.Dense(3, activation="softmax")(hidden)).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_MEMBER, colour_card.to_json())
        for name in ("calibration/0000-0.png", "calibration/0001-1.png", "verification/0000-2.png"):
            archive.writestr(f"edgeclf/samples/{name}", b"png")
    return path


@pytest.fixture
def colour_files(colour_model: Path, tflite_model: Path, keras_model: Path, tmp_path: Path) -> Path:
    """The test's own folder with a copy of all three, and a parity report that names two of them."""
    for source in (colour_model, tflite_model, keras_model):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    entries = [
        {
            "file": name,
            "bytes": (tmp_path / name).stat().st_size,
            "images": 40,
            "keras_accuracy": 0.95,
            "accuracy": 0.925,
            "accuracy_95_interval": [0.801, 0.974],
            "agreement": 0.975,
            "max_probability_difference": 0.0123,
        }
        for name in ("model.onnx", "model.tflite")
    ]
    report = {"verified_on": "the validation part", "artifacts": entries, "made_with": {"edgeclf": "0.1.0"}}
    (tmp_path / "model.parity.json").write_text(json.dumps(report))
    return tmp_path
