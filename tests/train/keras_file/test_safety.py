"""Model files from anywhere: harmless ones are accepted, and all others are refused before Keras opens them."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.runtime.errors import ModelError
from edgeclf.train.keras_file.safety import check_keras_file
from edgeclf.train.networks.architectures import ConvNet, FlatNet
from edgeclf.train.networks.backbones import Backbone
from tests.support.keras_configs import Config, lambda_layer, layer, sequential

Write = Callable[..., Path]
APPLICATIONS = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
LARGE = {"MobileNetV2", "EfficientNetB0"}
"""Applications that take seconds to build and have no layers that the others lack."""
DENSE = sequential(layer("Dense", units=3))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(config)`: a `.keras` file with that config.json and 600 bytes for weights."""

    def make(
        config: Config | bytes = DENSE, weights: bytes = bytes(600), name: str = "model.keras", packed: int = 8
    ) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", packed) as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
            archive.writestr("model.weights.h5", weights)
        return tmp_path / name

    return make


def refusal(path: Path) -> str:
    """The error, which is one line."""
    with pytest.raises(ModelError, match=r"^[^\n]+$") as refused:
        check_keras_file(path)
    return str(refused.value)


def build(name: str) -> keras.Model:
    return getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=3)


def arithmetic() -> keras.Model:
    image = keras.Input((16, 16, 3))
    x = keras.ops.maximum(image[:, 2:-2, ..., ::-1] / 127.5 - 1.0, -0.5) * np.array([1, 2, 3], np.float32)
    x = keras.ops.concatenate([keras.activations.gelu(x), keras.ops.relu(x)], axis=-1)
    return keras.Model(image, layers.Dense(3, activation="softmax")(keras.ops.mean(x, axis=[1, 2])))


def augmented() -> keras.Model:
    changes = [layers.RandomFlip("horizontal", seed=2**31 - 1), layers.RandomRotation(0.1), layers.RandomZoom(0.1)]
    changes += [layers.RandomContrast(0.1), layers.RandomTranslation(0.1, 0.1), layers.RandomBrightness(0.1)]
    numbers = layers.Normalization(mean=[123.0, 116.0, 104.0], variance=[1.0, 2.0, 3.0])
    body = [
        layers.Reshape((16, 16, 3)),
        layers.Rescaling(1 / 255),
        numbers,
        layers.Conv2D(4, 3, kernel_regularizer="l2", activation=layers.LeakyReLU()),
    ]
    ending = [layers.GlobalAveragePooling2D(), layers.Dropout(0.2, seed=1), layers.Dense(2, kernel_constraint="non_neg")]
    return keras.Sequential([keras.Input((16, 16, 3)), *changes, *body, *ending])


def nested() -> keras.Model:
    inner = augmented()
    inner.compile("adam", "sparse_categorical_crossentropy", ["accuracy", keras.metrics.AUC()])
    return keras.Sequential([keras.Input((16, 16, 3)), inner, layers.Softmax(dtype="mixed_float16")])


HARMLESS = {
    "convnet": lambda: ConvNet((8, 8), dense=(4,)).build((32, 32, 3), 2),
    "flatnet": lambda: FlatNet((8, 8), dense=(16,)).build((32, 32, 1), 3),
    "efficientnet-lite0": lambda: Backbone("efficientnet-lite0", "none").build((64, 64, 3), 2),
    "arithmetic": arithmetic,
    "augmented": augmented,
    "nested": nested,
    **{name: lambda name=name: build(name) for name in APPLICATIONS},
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in HARMLESS])
def test_image_classifiers_that_keras_saves_are_accepted(name: str, tmp_path: Path) -> None:
    HARMLESS[name]().save(tmp_path / "model.keras")
    check_keras_file(tmp_path / "model.keras")


def test_a_link_to_a_model_is_accepted(write: Write, tmp_path: Path) -> None:
    (tmp_path / "link.keras").symlink_to(write())
    check_keras_file(tmp_path / "link.keras")


def test_the_config_in_a_file_is_checked_with_the_size_of_its_weights(write: Write) -> None:
    large = sequential(layer("Dense", units=100_000))
    check_keras_file(write(large, weights=bytes(400_000)))
    assert "units = 100,000, and its weights take 600 bytes" in refusal(write(large))
    assert "Lambda layer" in refusal(write(sequential(lambda_layer())))


def faulty_files(folder: Path, good: Path) -> dict[Path, str]:
    """Files that are not models, and a part of the error for each."""
    data = good.read_bytes()
    (folder / "folder.keras").mkdir()
    os.mkfifo(folder / "pipe.keras")
    (folder / "empty.keras").touch()
    (folder / "cut.keras").write_bytes(data[: len(data) // 2])
    (folder / "damaged.keras").write_bytes(data.replace(b"Sequential", b"sequential"))
    (folder / "image.keras").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    encrypted = bytearray(data)
    encrypted[data.rindex(b"PK\x01\x02") + 8] |= 1
    (folder / "encrypted.keras").write_bytes(encrypted)
    with zipfile.ZipFile(folder / "bare.keras", "w") as archive:
        archive.writestr("notes.txt", "x")
    with zipfile.ZipFile(folder / "lzma.keras", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("config.json", "{}")
    with zipfile.ZipFile(folder / "outside.keras", "w") as archive:
        archive.writestr("assets/../../evil", "{}")
    shutil.copy(good, folder / "model.png")
    return {
        folder / "folder.keras": "is a folder, not a file",
        folder / "pipe.keras": "is a pipe or a device",
        Path("/dev/zero"): "is a pipe or a device",
        folder / "missing.keras": "does not exist",
        Path("hf://someone/model"): "does not exist",
        folder / "empty.keras": "is empty",
        folder / "cut.keras": "is damaged or not a .keras file",
        folder / "damaged.keras": "is damaged or not a .keras file",
        folder / "image.keras": "is damaged or not a .keras file",
        folder / "encrypted.keras": "model.weights.h5 is encrypted",
        folder / "bare.keras": "lacks config.json or model.weights.h5",
        folder / "lzma.keras": "config.json is compressed by method 14",
        folder / "outside.keras": "assets/../../evil leads outside",
        folder / "model.png": "model.png.keras",
    }


def test_files_that_are_not_models_are_refused_with_the_cause(write: Write, tmp_path: Path) -> None:
    for path, expected in faulty_files(tmp_path, write(packed=0)).items():
        sentence = refusal(path)
        assert str(path) in sentence
        assert expected in sentence


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_with_the_same_name_are_refused(write: Write) -> None:
    path = write(sequential(lambda_layer()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", json.dumps(DENSE))
    assert "two members" in refusal(path)


@pytest.mark.slow
def test_bombs_are_refused_in_little_memory_and_without_keras(write: Write) -> None:
    padded = json.dumps(DENSE).encode()
    bombs = [
        write(padded + b" " * 800_000_000, name="padded.keras"),
        write(padded, bytes(300_000_000), name="weights.keras"),
        write(sequential(layer("Dense", units=400_000_000)), name="units.keras"),
    ]
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))\n"
        "from pathlib import Path; from edgeclf.runtime.errors import ModelError\n"
        "from edgeclf.train.keras_file.safety import check_keras_file\n"
        "for name in sys.argv[1:]:\n"
        "    try: check_keras_file(Path(name))\n"
        "    except ModelError as error: print(str(error).removeprefix(name))\n"
        "print({'keras', 'tensorflow', 'h5py', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script, *bombs], capture_output=True, text=True, check=True)
    config, weights, units, modules = done.stdout.splitlines()
    assert "config.json takes 800 MB" in config
    assert "model.weights.h5 unpacks from 0.3 to 300 MB" in weights
    assert "units = 400,000,000, and its weights take 600 bytes" in units
    assert modules == "set()"


def test_members_that_are_too_large_together_are_refused(write: Write) -> None:
    path = write(packed=0)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 20 : place + 28] = b"\xfe\xff\xff\xff" * 2  # the directory claims 4 GB, packed and unpacked
    path.write_bytes(data)
    assert "unpacks to 3 members of 4.3 GB together" in refusal(path)


@pytest.fixture
def legacy(tmp_path: Path) -> Callable[[Config | None], Path]:
    """`legacy(config)`: an `.h5` file with that `model_config`, or without one."""

    def make(config: Config | None) -> Path:
        with h5py.File(tmp_path / "model.h5", "w") as file:
            file["weights"] = [1.0, 2.0]
            if config is not None:
                file.attrs["model_config"] = json.dumps(config).encode()
        return tmp_path / "model.h5"

    return make


def test_the_older_format_is_accepted(tmp_path: Path) -> None:
    ConvNet((8,)).build((16, 16, 3), 3).save(tmp_path / "model.h5")
    check_keras_file(tmp_path / "model.h5")


def _soft_link(file: h5py.File) -> None:
    file["model_weights"] = h5py.SoftLink("/weights")


def _external_link(file: h5py.File) -> None:
    file["model_weights"] = h5py.ExternalLink("/etc/hosts", "/")


def _external_numbers(file: h5py.File) -> None:
    file.create_dataset("numbers", (4,), "u1", external=[("/etc/hosts", 0, 4)])


def _unwritten_numbers(file: h5py.File) -> None:
    file.create_dataset("numbers", (1 << 33,), "f4", chunks=(1 << 20,))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_soft_link, "'model_weights' is a link"),
        (_external_link, "'model_weights' is a link"),
        (_external_numbers, "the numbers of its 'numbers' are in another file"),
        (_unwritten_numbers, "to 34,360 MB; do not trust this file"),
    ],
    ids=["soft link", "external link", "external numbers", "bomb"],
)
def test_the_older_format_may_not_lead_elsewhere_or_unpack_to_much_more(
    legacy: Callable[[Config], Path], spoil: Callable[[h5py.File], None], expected: str
) -> None:
    path = legacy(DENSE)
    with h5py.File(path, "r+") as file:
        spoil(file)
    assert expected in refusal(path)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ({"class_name": "Lambda", "config": {}}, "a Lambda layer"),
        ({"class_name": "Dense", "config": {"units": 400_000_000}}, "units = 400,000,000"),
        ({"class_name": "MyLayer", "config": {}}, "the class MyLayer"),
    ],
    ids=["lambda", "units", "custom class"],
)
def test_the_older_format_is_checked_in_the_same_way(legacy: Callable[[Config], Path], inner: Config, expected: str) -> None:
    assert expected in refusal(legacy({"class_name": "Sequential", "config": {"layers": [inner]}}))


def test_weights_without_a_network_are_refused(legacy: Callable[[Config | None], Path]) -> None:
    assert "weights without a network" in refusal(legacy(None))


@pytest.mark.parametrize("data", [b"text", b"\x89HDF\r\n\x1a\n" + bytes(200)], ids=["text", "cut"])
def test_a_file_that_is_h5_only_by_name_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.h5").write_bytes(data)
    assert "is damaged or not an .h5 file" in refusal(tmp_path / "model.h5")
