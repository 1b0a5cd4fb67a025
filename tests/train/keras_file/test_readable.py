"""Networks that Keras 3 cannot build as they were saved, or TensorFlow cannot run, are loaded all the same."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.readable import readable
from edgeclf.train.keras_file.saving import load_network
from tests.support import keras2_files
from tests.support.keras_networks import body, noise

Config = dict[str, Any]
FORMATS = ("keras", "h5")


def save_with(network: keras.Model, path: Path, change: Callable[[Config], None]) -> Path:
    """Save a network with a changed config, as another version or another backend of Keras would have written it."""
    network.save(path)
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, data)
    return path


def setting(kind: str, key: str, value: Any) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] == kind:
                layer["config"][key] = value

    return change


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_any_float_type_becomes_float32_with_the_same_weights(tmp_path: Path, policy: str, suffix: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        network = body(layers.BatchNormalization(), layers.Dense(3, activation="softmax"))
    finally:
        keras.config.set_dtype_policy("float32")
    network.save(tmp_path / f"model.{suffix}")
    loaded = load_network(tmp_path / f"model.{suffix}")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    for found, expected in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected.astype(np.float32))
    expected = np.asarray(keras.ops.cast(network(noise().astype(np.float32)), "float32"))
    np.testing.assert_allclose(loaded(noise().astype(np.float32)), expected, atol=0.01)


def test_a_policy_for_each_layer_becomes_float32(tmp_path: Path) -> None:
    inner = body(layers.Dense(4, dtype="bfloat16"), layers.Dense(3, dtype="float64"))
    image = keras.Input((16, 20, 3))
    x = keras.ops.cast(keras.ops.cast(inner(image), "float16") * 2, "float32")
    keras.Model(image, layers.TimeDistributed(layers.Dense(3, dtype="mixed_float16"))(x[:, None])).save(
        tmp_path / "model.keras"
    )
    loaded = load_network(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in loaded._flatten_layers()} == {"float32"}
    assert loaded.output.dtype == "float32"


NAMES = ["conv 1", "größe", "ordner/conv", "-conv", "卷积"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_layers_of_any_name_are_loaded(tmp_path: Path, suffix: str) -> None:
    network = keras.Sequential(
        [keras.Input((16, 20, 3)), *(layers.Conv2D(2, 3, name=f"conv_{i}") for i in range(5)), layers.Flatten()], name="net"
    )
    image = keras.Input((16, 20, 3), name="image")
    network = keras.Model(image, layers.Dense(3, name="dense")(network(image)), name="whole")
    renamed = {f'"conv_{i}"': json.dumps(name) for i, name in enumerate(NAMES)}
    renamed |= {'"net"': '"my net"', '"whole"': '"my whole net"', '"image"': '"my image"', '"dense"': '"my net!"'}

    def rename(config: Config) -> None:
        text = json.dumps(config)
        for old, new in renamed.items():
            text = text.replace(old, new)
        config.update(json.loads(text))

    path = save_with(network, tmp_path / f"model.{suffix}", rename)
    loaded = load_network(path)
    images = noise().astype(np.float32)
    np.testing.assert_array_equal(loaded(images), network(images))
    assert all(re.fullmatch(r"[\w.>-]+", one.name, re.ASCII) for one in loaded._flatten_layers())


@pytest.mark.parametrize("file", keras2_files.FILES)
def test_a_network_of_keras_2_gives_its_answers(file: str) -> None:
    loaded = load_network(keras2_files.KEPT / file)
    expected = keras2_files.answers(Path(file).stem)
    np.testing.assert_allclose(loaded(keras2_files.images().astype(np.float32), training=False), expected, atol=2e-6)


HARMLESS: dict[str, tuple[keras.Layer, str, Any]] = {
    "depthwise": (layers.DepthwiseConv2D(3), "groups", 1),
    "separable": (layers.SeparableConv2D(4, 3), "kernel_regularizer", None),
    "transposed": (layers.Conv2DTranspose(4, 3), "groups", 1),
    "random": (layers.RandomZoom(0.1), "rng_type", "stateful"),
    "dropout": (layers.SpatialDropout2D(0.1), "noise_shape", None),
    "axis": (layers.BatchNormalization(), "axis", [3]),
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("layer", "key", "value"), HARMLESS.values(), ids=HARMLESS)
def test_settings_that_change_nothing_are_dropped(
    tmp_path: Path, suffix: str, layer: keras.Layer, key: str, value: Any
) -> None:
    network = keras.Sequential([keras.Input((16, 20, 3)), layer, layers.GlobalAveragePooling2D(), layers.Dense(3)])
    path = save_with(network, tmp_path / f"model.{suffix}", setting(type(layer).__name__, key, value))
    images = noise().astype(np.float32)
    answers = load_network(path)(images, training=False)
    np.testing.assert_array_equal(answers, network(images, training=False))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_setting_that_changes_the_answers_is_named_whole(tmp_path: Path, suffix: str) -> None:
    network = body(layers.Reshape((2, 3)), layers.LSTM(4), layers.Dense(3))
    path = save_with(network, tmp_path / f"model.{suffix}", setting("LSTM", "time_major", True))
    with pytest.raises(
        ModelError, match=r"its layer 'lstm\w*' needs time_major=True, which LSTM in Keras 3 does not have; "
    ):
        load_network(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_reason_of_keras_is_not_cut_off(tmp_path: Path, suffix: str) -> None:
    path = save_with(body(layers.Dense(3)), tmp_path / f"model.{suffix}", setting("Conv2D", "shuffled", True))
    reason = r"\(Unrecognized keyword arguments passed to Conv2D: {'shuffled': True}\); copy it again, or "
    with pytest.raises(ModelError, match=rf"^\S+ cannot be loaded by Keras {keras.__version__} {reason}[^\n]*set_weights"):
        load_network(path)


def test_a_random_crop_of_keras_2_resizes_as_it_did(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((16, 20, 3)), layers.RandomCrop(8, 8), layers.GlobalAveragePooling2D()])
    path = save_with(network, tmp_path / "model.keras", setting("RandomCrop", "rng_type", "stateful"))
    assert load_network(path).layers[0].output.shape == (None, 8, 8, 3)


def test_a_file_that_needs_no_change_is_not_copied(tmp_path: Path) -> None:
    body(layers.Dense(3)).save(tmp_path / "model.keras")
    with readable(tmp_path / "model.keras") as path:
        assert path.resolve() == (tmp_path / "model.keras").resolve()
