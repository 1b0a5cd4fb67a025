"""Model files from anywhere: what is harmless passes, and what is not is refused before Keras has seen it."""

import json
import os
import shutil
import subprocess
import sys
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
from edgeclf.train.keras_file.safety import check_keras_file
from edgeclf.train.networks.architectures import ConvNet, FlatNet
from edgeclf.train.networks.backbones import Backbone

Config = dict[str, Any]
Write = Callable[..., Path]
APPLICATIONS = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0")


def layer(class_name: str, module: str | None = "keras.layers", **config: Any) -> Config:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def sequential(*inner: Config) -> Config:
    return layer("Sequential", "keras", name="hostile", layers=[layer("InputLayer", batch_shape=[None, 8]), *inner])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(config)`: a `.keras` file with that config.json, dict or bytes, and 600 bytes for weights."""

    def make(config: Config | bytes, weights: bytes = bytes(600), name: str = "model.keras", packed: int = 8) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", packed) as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
            archive.writestr("model.weights.h5", weights)
        return tmp_path / name

    return make


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
    body = [layers.Rescaling(1 / 255), numbers, layers.Conv2D(4, 3, kernel_regularizer="l2", activation=layers.LeakyReLU())]
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


@pytest.mark.parametrize("make", HARMLESS.values(), ids=HARMLESS)
def test_what_keras_saves_for_images_passes(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    make().save(tmp_path / "model.keras")
    check_keras_file(tmp_path / "model.keras")


def test_a_link_to_a_model_is_a_model(write: Write, tmp_path: Path) -> None:
    (tmp_path / "link.keras").symlink_to(write(sequential(layer("Dense", units=3))))
    check_keras_file(tmp_path / "link.keras")


def lambda_layer() -> Config:
    function = {"class_name": "__lambda__", "config": {"value": {"code": "x", "defaults": None, "closure": None}}}
    return layer("Lambda", name="evil", function=function)


TENSOR = {"class_name": "__keras_tensor__", "config": {"shape": [None, 8], "dtype": "float32", "keras_history": ["x", 0, 0]}}
NUMBERS = {"class_name": "__numpy__", "config": {"value": 1, "dtype": "float32"}}
BROADCAST = layer("BroadcastTo", "keras.src.ops.numpy", shape=[60_000]) | {
    "inbound_nodes": [{"args": [NUMBERS], "kwargs": {"x": "__keras_tensor__"}}]
}
REFUSED = {
    "lambda": (lambda_layer(), "holds a Lambda layer, which can run any program; replace it with a layer from keras.layers"),
    "bare lambda": (layer("Dense", units={"class_name": "__lambda__", "config": {}}), "holds a lambda function"),
    "saved model": (layer("TFSMLayer", filepath="x"), "holds a TFSMLayer layer, which can run any program"),
    "torch": (layer("TorchModuleWrapper", module="x"), "holds a TorchModuleWrapper layer"),
    "jax": (layer("JaxLayer"), "holds a JaxLayer layer"),
    "text": (layer("TextVectorization"), "holds a TextVectorization layer, which no image classifier needs"),
    "vocabulary": (layer("StringLookup", vocabulary="/etc/passwd"), "holds a StringLookup layer"),
    "own class": (layer("MyNet", "my_net"), "needs the class MyNet of the module my_net, which edgeclf does not load"),
    "own function": (
        layer("Dense", units=3, activation={"module": "evil", "class_name": "function", "config": "run"}),
        "needs the function run of the module evil",
    ),
    "system": (layer("function", "os") | {"config": "system"}, "needs the function system of the module os"),
    "other module of keras": (layer("get_file", "keras.utils"), "needs the class get_file of the module keras.utils"),
    "wrong module": (layer("Dense", "keras.src.backend.torch"), "needs the class Dense of the module keras.src.backend"),
    "loop": (layer("WhileLoop", "keras.src.ops.core"), "needs the class WhileLoop"),
    "dotted name": (layer("a.b", "keras.src.ops.numpy"), "needs the class a.b"),
    "class that is no text": (layer(["Dense"]), "names the class ['Dense']"),  # type: ignore[arg-type]
    "typespec": (layer("__typespec__", "os"), "needs the class __typespec__"),
    "huge dtype": (
        layer("__numpy__", None, value=[0], dtype="S2000000000"),
        "holds numbers of the unknown type 'S2000000000'",
    ),
    "call on numbers": (BROADCAST, "calls BroadcastTo without a tensor"),
    "units": (layer("Dense", units=400_000_000), "asks for units = 400,000,000, and its weights take 600 bytes"),
    "filters": (layer("Conv2D", filters=400_000_000), "asks for filters = 400,000,000"),
    "kernel": (layer("Conv2D", filters=1, kernel_size=[9_000_000, 9]), "asks for kernel_size = 9,000,000"),
    "shape": (layer("Dense", units=1) | {"build_config": {"input_shape": [None, 60_000, 60_000]}}, "asks for arrays of"),
}


@pytest.mark.parametrize(("inner", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_no_image_needs_is_refused_by_name(write: Write, inner: Config, sentence: str) -> None:
    with pytest.raises(ModelError, match=r"^[^\n]+$") as refused:
        check_keras_file(write(sequential(inner)))
    assert sentence in str(refused.value)
    assert "model.keras" in str(refused.value)


def test_a_class_of_ones_own_gets_the_way_that_works(write: Write) -> None:
    with pytest.raises(ModelError, match=r"build it in Python and call edgeclf\.export\.run\.export_network\(network"):
        check_keras_file(write(sequential(layer("MyNet", "my_net"))))


def test_a_lambda_is_found_wherever_it_hides(write: Write) -> None:
    hidden = sequential(layer("TimeDistributed", layer=sequential(layer("Dense", units=1, extra=[[lambda_layer()]]))))
    with pytest.raises(ModelError, match=r"Lambda layer|lambda function"):
        check_keras_file(write(hidden))


def test_the_settings_of_the_training_do_not_matter(write: Write) -> None:
    check_keras_file(write(sequential(layer("Dense", units=3)) | {"compile_config": {"loss": layer("MyLoss", "my_loss")}}))


def test_large_layers_pass_where_the_weights_can_fill_them(write: Write) -> None:
    check_keras_file(write(sequential(layer("Dense", units=100_000)), weights=bytes(400_000)))


def test_a_seed_may_be_any_number(write: Write) -> None:
    check_keras_file(write(sequential(layer("Dropout", rate=0.5, seed=2**40))))


BROKEN = {
    "no json": (b"{", "has a config that cannot be read"),
    "not utf-8": (b'{"class_name": "\xff"}', "has a config that cannot be read"),
    "nan": (b'{"class_name": "Sequential", "config": NaN}', "NaN is not JSON"),
    "deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "long number": (b'{"class_name": ' + b"9" * 10_000 + b"}", "has a config that cannot be read"),
    "list": (b"[]", "does not describe a network"),
}


@pytest.mark.parametrize(("text", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_description_that_is_none_is_one_sentence(write: Write, text: bytes, sentence: str) -> None:
    with pytest.raises(ModelError, match=r"^[^\n]+$") as refused:
        check_keras_file(write(text))
    assert sentence in str(refused.value)


def odd(tmp_path: Path, good: Path) -> dict[str, tuple[Path, str]]:
    """Files that are no models, each with what is said of it."""
    data = good.read_bytes()
    (tmp_path / "folder.keras").mkdir()
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "empty.keras").touch()
    (tmp_path / "cut.keras").write_bytes(data[: len(data) // 2])
    (tmp_path / "damaged.keras").write_bytes(data.replace(b"Sequential", b"sequential"))
    (tmp_path / "image.keras").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    encrypted = bytearray(data)
    encrypted[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "encrypted.keras").write_bytes(encrypted)
    with zipfile.ZipFile(tmp_path / "bare.keras", "w") as archive:
        archive.writestr("notes.txt", "x")
    with zipfile.ZipFile(tmp_path / "lzma.keras", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("config.json", "{}")
    with zipfile.ZipFile(tmp_path / "outside.keras", "w") as archive:
        archive.writestr("assets/../../evil", "{}")
    return {
        "folder.keras": (tmp_path / "folder.keras", "does not exist or is not a file"),
        "pipe.keras": (tmp_path / "pipe.keras", "is no regular file"),
        "device": (Path("/dev/zero"), "is no regular file"),
        "missing.keras": (tmp_path / "missing.keras", "does not exist or is not a file"),
        "address": (Path("hf://someone/model"), "does not exist or is not a file"),
        "empty.keras": (tmp_path / "empty.keras", "is empty, so it is damaged or not a .keras file"),
        "cut.keras": (tmp_path / "cut.keras", "is damaged or not a .keras file"),
        "damaged.keras": (tmp_path / "damaged.keras", "is damaged or not a .keras file"),
        "image.keras": (tmp_path / "image.keras", "is damaged or not a .keras file"),
        "encrypted.keras": (tmp_path / "encrypted.keras", "its member model.weights.h5 is encrypted"),
        "bare.keras": (tmp_path / "bare.keras", "lacks config.json or model.weights.h5"),
        "lzma.keras": (tmp_path / "lzma.keras", "its member config.json is packed by method 14"),
        "outside.keras": (tmp_path / "outside.keras", "its member assets/../../evil points out of the archive"),
        "model.png": (Path(shutil.copy(good, tmp_path / "model.png")), "does not have the suffix .keras"),
    }


def test_a_file_that_is_no_model_is_one_sentence(write: Write, tmp_path: Path) -> None:
    for path, sentence in odd(tmp_path, write(sequential(layer("Dense", units=3)), packed=0)).values():
        with pytest.raises(ModelError, match=r"^[^\n]+$") as refused:
            check_keras_file(path)
        assert sentence in str(refused.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(write: Write) -> None:
    path = write(sequential(lambda_layer()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", json.dumps(sequential(layer("Dense", units=3))))
    with pytest.raises(ModelError, match="holds two members of one name"):
        check_keras_file(path)


@pytest.mark.slow
def test_bombs_are_refused_in_little_memory_and_without_keras(write: Write, tmp_path: Path) -> None:
    padded = json.dumps(sequential(layer("Dense", units=3))).encode()
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
    assert config.startswith(": its member config.json takes 800 MB, more than the config of any network needs")
    assert weights.startswith(": its member model.weights.h5 unpacks from 0.3 to 300 MB")
    assert units.startswith(" asks for units = 400,000,000, and its weights take 600 bytes, too few for that")
    assert modules == "set()"


def test_members_that_are_too_large_together_are_refused(write: Write) -> None:
    path = write(sequential(layer("Dense", units=3)), packed=0)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 20 : place + 28] = b"\xfe\xff\xff\xff" * 2  # 4 GB, packed and unpacked, by the directory's word
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"unpacks to 3 members of 4\.3 GB together"):
        check_keras_file(path)


@pytest.fixture
def legacy(tmp_path: Path) -> Callable[[Config | None], Path]:
    """`legacy(config)`: an `.h5` file with that `model_config`, or without any."""

    def make(config: Config | None) -> Path:
        with h5py.File(tmp_path / "model.h5", "w") as file:
            file["weights"] = [1.0, 2.0]
            if config is not None:
                file.attrs["model_config"] = json.dumps(config).encode()
        return tmp_path / "model.h5"

    return make


def test_the_older_format_passes_only_where_it_is_allowed(tmp_path: Path) -> None:
    ConvNet((8,)).build((16, 16, 3), 3).save(tmp_path / "model.h5")
    check_keras_file(tmp_path / "model.h5", allow_h5=True)
    with pytest.raises(ModelError, match=r"is in the older \.h5 format; save it as \.keras, or allow"):
        check_keras_file(tmp_path / "model.h5")


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ({"class_name": "Lambda", "config": {}}, "holds a Lambda layer"),
        ({"class_name": "Dense", "config": {"units": 400_000_000}}, "asks for units = 400,000,000"),
        ({"class_name": "MyLayer", "config": {}}, "needs the class MyLayer, which edgeclf does not load"),
    ],
    ids=["lambda", "units", "own class"],
)
def test_the_older_format_is_read_as_closely(legacy: Callable[[Config], Path], inner: Config, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        check_keras_file(legacy({"class_name": "Sequential", "config": {"layers": [inner]}}), allow_h5=True)


def test_weights_alone_are_no_model(legacy: Callable[[Config | None], Path]) -> None:
    with pytest.raises(ModelError, match="holds weights without a network"):
        check_keras_file(legacy(None), allow_h5=True)


@pytest.mark.parametrize("data", [b"text", b"\x89HDF\r\n\x1a\n" + bytes(200)], ids=["text", "cut"])
def test_what_only_calls_itself_h5_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.h5").write_bytes(data)
    with pytest.raises(ModelError, match=r"is damaged or not an \.h5 file"):
        check_keras_file(tmp_path / "model.h5", allow_h5=True)
