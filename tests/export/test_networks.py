"""Any Keras network can be exported to ONNX and TFLite, with augmentation, BatchNorm and unusual layers."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from keras.src.applications.convnext import ConvNeXt
from numpy.typing import NDArray

from edgeclf.export.external_model import attach_card, attach_card_to
from edgeclf.export.external_options import ExternalModel
from edgeclf.export.frozen import freeze
from edgeclf.export.onnx_file import pack
from edgeclf.export.to_onnx import convert
from edgeclf.export.to_tflite import to_tflite
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.keras_file.saving import KerasModel
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.recipes import PRESETS

CLASSES = ("ant", "bee", "wasp")
Build = Callable[[], keras.Model]


def noise(shape: tuple[int, int, int], count: int = 9) -> NDArray[np.uint8]:
    """Noise of different tints, so that the answers differ."""
    rng = np.random.default_rng(4)
    return rng.integers(0, rng.integers(1, 256, (count, 1, 1, shape[2])), (count, *shape)).astype(np.uint8)


def with_statistics(network: keras.Model, memory: float = 0.0) -> keras.Model:
    """The network with BatchNorm statistics from some images, each slightly changed. Wrong folding then shows.

    memory: the share of the initial statistics that stays. With too little, a random network amplifies rounding errors;
    with too much, it gives every image the same answer.
    """
    rng = np.random.default_rng(5)
    normalizations = [one for one in network._flatten_layers() if isinstance(one, layers.BatchNormalization)]
    for one in normalizations:
        one.momentum = memory
    network(noise(network.input_shape[1:], 16).astype(np.float32), training=True)
    for one in normalizations:
        one.momentum = 0.99
        one.set_weights([weight * rng.uniform(0.9, 1.1, weight.shape) for weight in one.get_weights()])
    return network


SMALL_CONVNEXT = partial(ConvNeXt, (1, 1, 1, 1), (8, 16, 16, 32), drop_path_rate=0.1)


def application(
    network: str | Callable[..., keras.Model],
    side: int = 64,
    scale: float = 1 / 127.5,
    offset: float = -1.0,
    memory: float = 0.1,
) -> Build:
    """A network of keras.applications with augmentation, scaling and a head. memory: see `with_statistics`."""
    make = getattr(keras.applications, network) if isinstance(network, str) else network

    def build() -> keras.Model:
        image = keras.Input((side, side, 3))
        x = layers.RandomFlip("horizontal")(image)
        x = layers.RandomRotation(0.1)(x)
        x = layers.Rescaling(scale, offset)(x)
        body = make(weights=None, include_top=False, input_shape=(side, side, 3))
        x = layers.LayerNormalization()(layers.GlobalAveragePooling2D()(body(x)))  # otherwise the confidence is random
        return with_statistics(keras.Model(image, layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(x))), memory)

    return build


def trained_here(network: object, side: int, channels: int = 3) -> Build:
    """A network as `clf-train` builds it, with augmentation."""

    def build() -> keras.Model:
        shape = (side, side, channels)
        image = keras.Input(shape)
        x = layers.RandomTranslation(0.1, 0.1)(layers.RandomFlip()(image))
        return with_statistics(keras.Model(image, network.build(shape, len(CLASSES))(x)))  # type: ignore[attr-defined]

    return build


def grouped() -> keras.Model:
    """Grouped and transposed convolutions, channel attention, a dense layer on a feature map, a scalar bias."""
    image = keras.Input((20, 28, 1))
    x = layers.Normalization(mean=120.0, variance=900.0)(image)
    x = layers.Conv2D(8, 3, use_bias=False, padding="same")(x) + 3.0
    x = layers.Conv2D(8, 3, groups=4, activation="gelu")(x)
    x = x * layers.Dense(8, activation="hard_sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.LayerNormalization()(layers.Dense(6)(x))
    x = layers.GroupNormalization(2)(layers.Conv2DTranspose(6, 3, strides=2)(x))
    x = layers.PReLU(shared_axes=[1, 2])(layers.SeparableConv2D(6, 3)(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling2D()(x)))


def pre_activated() -> keras.Model:
    """As ResNet50V2 begins: normalisation before the activation cannot be folded into the convolution before it."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 7, strides=2)(layers.ZeroPadding2D(3)(layers.Rescaling(1 / 127.5, -1.0)(image)))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for stride in (1, 2):
        ready = layers.ReLU()(layers.BatchNormalization()(x))
        inner = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False)(ready)))
        inner = layers.Conv2D(4, 3, strides=stride, use_bias=False)(layers.ZeroPadding2D(1)(inner))
        past = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else layers.Conv2D(8, 1)(ready)
        x = past + layers.Conv2D(8, 1)(layers.ReLU()(layers.BatchNormalization()(inner)))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    return with_statistics(keras.Model(image, layers.Dense(3, activation="softmax")(x)), memory=0.1)


QUICK: dict[str, Build] = {
    "our CNN": trained_here(ConvNet(), 64),
    "our CNN, grey": trained_here(ConvNet((8, 8)), 32, 1),
    "many layers": grouped,
}
SLOW: dict[str, Build] = {
    "MobileNetV3Small": application("MobileNetV3Small", scale=1.0, offset=0.0, memory=0.0),
    "efficientnet-lite0": trained_here(Backbone(weights="none"), 64),
    **{name: trained_here(preset.recipe.network, 64) for name, preset in PRESETS.items()},
    "EfficientNetB0": application("EfficientNetB0", scale=1.0, offset=0.0, memory=0.05),
    "ConvNeXt, one block a stage": application(SMALL_CONVNEXT, scale=1.0, offset=0.0),
    "pre-activated": pre_activated,
}
EXHAUSTIVE: dict[str, Build] = {
    "MobileNetV2": application("MobileNetV2", memory=0.005),  # the operators of efficientnet-lite0
    "MobileNetV3Large": application("MobileNetV3Large", scale=1.0, offset=0.0, memory=0.01),
    "ConvNeXtTiny": application("ConvNeXtTiny", scale=1.0, offset=0.0),
    "ResNet50V2": application("ResNet50V2", memory=0.2),
    "VGG16": application("VGG16", scale=1.0, offset=-120.0),
    "DenseNet121": application("DenseNet121"),
    "EfficientNetV2B0": application("EfficientNetV2B0", scale=1.0, offset=0.0),
    "ResNet50": application("ResNet50"),
    "InceptionV3": application("InceptionV3", 75),
    "Xception": application("Xception", 71),
    "NASNetMobile": application("NASNetMobile"),
}


@pytest.fixture(
    params=[
        *QUICK.items(),
        *(pytest.param(item, marks=pytest.mark.slow) for item in SLOW.items()),
        *(pytest.param(item, marks=pytest.mark.exhaustive) for item in EXHAUSTIVE.items()),
    ],
    ids=[*QUICK, *SLOW, *EXHAUSTIVE],
)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> KerasModel:
    """A network that Keras saved without a card."""
    keras.utils.set_random_seed(1)
    request.param[1]().save(tmp_path / "model.keras")
    return attach_card(tmp_path / "model.keras", ExternalModel(CLASSES))


def test_any_network_answers_after_export_like_in_keras(model: KerasModel, tmp_path: Path) -> None:
    images = noise(model.card.preprocess.shape)
    expected = model.probabilities(images)
    assert np.ptp(expected, axis=0).max() > 0.005  # a constant would be easy to match
    frozen = freeze(model)
    proto = convert(frozen)
    (tmp_path / "model.onnx").write_bytes(pack(proto, model.card))
    (tmp_path / "model.tflite").write_bytes(to_tflite(frozen, "fp32"))
    operators = Counter(node.op_type for node in proto.graph.node)
    assert (len(proto.graph.input), operators["Transpose"] <= 2) == (1, True), operators
    for name, atol in (("model.onnx", 1e-5), ("model.tflite", 1e-4)):
        classifier = Classifier.open(tmp_path / name, device="cpu")
        np.testing.assert_allclose(classifier.probabilities(images), expected, atol=atol, err_msg=name)
        np.testing.assert_allclose(classifier.probabilities(images[:1]), expected[:1], atol=atol, err_msg=name)


class Subclass(keras.Model):  # type: ignore[misc]
    """A subclassed model of standard layers."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [layers.RandomFlip(), layers.Conv2D(8, 3), layers.BatchNormalization(), layers.ReLU()]
        self.pool = layers.GlobalAveragePooling2D()
        self.scores = layers.Dense(3)

    def call(self, image: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        x = image / 255
        for part in self.parts:
            x = part(x, training=training) if not isinstance(part, layers.Conv2D) else part(x)
        return self.scores(self.pool(x))


def test_a_custom_class_is_exported_from_python(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    network = Subclass()
    images = noise((20, 24, 3))
    scores = network(images.astype(np.float32), training=False).numpy()
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    model = attach_card_to(network, ExternalModel(CLASSES, imgsz=(20, 24)).facts(), tmp_path / "model.keras")
    assert model.card.head == "logits"
    frozen = freeze(model)
    (tmp_path / "model.onnx").write_bytes(pack(convert(frozen), model.card))
    (tmp_path / "model.tflite").write_bytes(to_tflite(frozen, "fp32"))
    for name in ("model.onnx", "model.tflite"):
        answers = Classifier.open(tmp_path / name).probabilities(images)
        np.testing.assert_allclose(answers, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_tensorflow_is_left_unchanged(tmp_path: Path) -> None:
    import tensorflow as tf

    before = (tf.function, tf.config.functions_run_eagerly(), keras.layers.Conv2D.call)
    keras.Sequential([keras.Input((8, 8, 2)), layers.Conv2D(4, 3, groups=2)])
    model = attach_card_to(grouped(), ExternalModel(CLASSES).facts(), tmp_path / "model.keras")
    freeze(model)
    assert (tf.function, tf.config.functions_run_eagerly(), keras.layers.Conv2D.call) == before


@pytest.mark.parametrize("opset", [13, *(pytest.param(opset, marks=pytest.mark.slow) for opset in (15, 18))])
def test_the_opset_can_be_chosen(tmp_path: Path, opset: int) -> None:
    keras.utils.set_random_seed(1)
    model = attach_card_to(grouped(), ExternalModel(CLASSES).facts(), tmp_path / "model.keras")
    data = pack(convert(freeze(model), opset), model.card)
    (tmp_path / "model.onnx").write_bytes(data)
    proto = onnx.load_model_from_string(data)
    assert [one.version for one in proto.opset_import if not one.domain] == [opset]
    assert proto.ir_version == {13: 7, 15: 8, 18: 8}[opset]
    images = noise(model.card.preprocess.shape)
    answers = Classifier.open(tmp_path / "model.onnx").probabilities(images)
    np.testing.assert_allclose(answers, model.probabilities(images), atol=1e-5)


def test_zero_padding_is_the_maximum_of_negative_values(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((9, 9, 3))
    low = layers.Conv2D(4, 3, bias_initializer=keras.initializers.Constant(-500.0))(image)
    highest = layers.Flatten()(layers.MaxPooling2D(3, strides=3)(layers.ZeroPadding2D()(low)))
    network = keras.Model(image, layers.Dense(3, activation="softmax", kernel_initializer="ones")(highest / 500 - 1))
    network.layers[-1].set_weights([np.eye(36, 3, dtype=np.float32), np.zeros(3, np.float32)])
    model = attach_card_to(network, ExternalModel(CLASSES).facts(), tmp_path / "model.keras")
    images = noise(model.card.preprocess.shape)
    (tmp_path / "model.onnx").write_bytes(pack(convert(freeze(model)), model.card))
    np.testing.assert_allclose(
        Classifier.open(tmp_path / "model.onnx").probabilities(images), model.probabilities(images), atol=1e-5
    )
