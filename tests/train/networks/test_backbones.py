"""Pretrained networks under a head of our own: what goes in, what comes out, where they can be cut, what is refused."""

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from keras import applications

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.train.networks.architectures import head_for
from edgeclf.train.networks.backbones import FAMILIES, Backbone, block_ends, cut_before_last, native_size
from edgeclf.train.networks.efficientnet_lite import headless, installed_weights
from edgeclf.train.results.evaluation import probabilities

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 40, 48, 3)).astype(np.float32)
LITE = "efficientnet-lite0"


def assert_close(answer: object, expected: object) -> None:
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4 * np.abs(expected).max())  # type: ignore[call-overload]


def feature_map(network: keras.Model) -> keras.Model:
    return keras.Model(network.input, network.get_layer("pooled").input)


@pytest.fixture(scope="module")
def lite() -> keras.Model:
    """Read only."""
    return Backbone().build((40, 48, 3), 3)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_follows_the_number_of_classes(classes: int) -> None:
    network = Backbone(weights="none").build((40, 48, 3), classes)
    head = network.layers[-1]
    assert (head.name, head.activation.__name__, head.units) == (
        "probabilities",
        head_for(classes),
        1 if classes == 2 else 3,
    )
    answers = probabilities(network, IMAGES.astype(np.uint8))
    assert answers.shape == (2, classes)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


def test_the_features_are_those_of_the_pretrained_network(lite: keras.Model) -> None:
    expected = headless(LITE)(IMAGES, training=False)
    assert_close(feature_map(lite)(IMAGES, training=False), expected)


def test_the_graph_is_flat_and_ends_in_pooling_dropout_head(lite: keras.Model) -> None:
    assert not [layer for layer in lite.layers if isinstance(layer, keras.Model)]
    assert [type(layer).__name__ for layer in lite.layers[-3:]] == ["GlobalAveragePooling2D", "Dropout", "Dense"]
    assert (lite.layers[-3].name, lite.layers[-2].rate) == ("pooled", 0.2)


def test_grey_images_are_seen_as_three_equal_channels(lite: keras.Model) -> None:
    levels = IMAGES[..., :1]
    grey = feature_map(Backbone().build((40, 48, 1), 3))
    assert_close(grey(levels), feature_map(lite)(np.repeat(levels, 3, axis=-1)))


@pytest.mark.parametrize("name", [LITE, "MobileNetV3Small", pytest.param("ResNet50", marks=pytest.mark.slow)])
def test_a_saved_network_loads_in_safe_mode_and_answers_the_same(name: str, tmp_path: Path) -> None:
    network = Backbone(name, "none").build((40, 48, 1), 3)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert_close(feature_map(loaded)(IMAGES[..., :1]), feature_map(network)(IMAGES[..., :1]))
    assert_close(loaded(IMAGES[..., :1]), network(IMAGES[..., :1]))
    assert [layer.name for layer in block_ends(loaded)] == [layer.name for layer in block_ends(network)]


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("MobileNetV3Small", "MobileNetV3Small"),
        ("mobilenetv3small", "MobileNetV3Small"),
        ("mobilenet-v3-small", "MobileNetV3Small"),
        ("EfficientNet_Lite0", LITE),
    ],
)
def test_capitals_and_hyphens_in_a_name_do_not_matter(name: str, official: str) -> None:
    assert Backbone(name, "none").build((40, 48, 3), 3).name == official


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ConvNeXtTiny", applications.convnext),
        pytest.param("DenseNet121", applications.densenet, marks=pytest.mark.slow),
        ("EfficientNetB0", applications.efficientnet),
        ("EfficientNetV2S", applications.efficientnet_v2),
        ("InceptionResNetV2", applications.inception_resnet_v2),
        ("InceptionV3", applications.inception_v3),
        ("MobileNet", applications.mobilenet),
        ("MobileNetV2", applications.mobilenet_v2),
        ("MobileNetV3Large", applications.mobilenet_v3),
        ("NASNetMobile", applications.nasnet),
        ("ResNet101V2", applications.resnet_v2),
        pytest.param("ResNet50", applications.resnet, marks=pytest.mark.slow),
        pytest.param("VGG16", applications.vgg16, marks=pytest.mark.slow),
        ("VGG19", applications.vgg19),
        ("Xception", applications.xception),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_family_scales_pixels_as_its_own_preprocess_input_does(name: str, module: ModuleType) -> None:
    family = next(family for pattern, family in FAMILIES.items() if fnmatchcase(name, pattern))
    expected = module.preprocess_input(IMAGES.copy())
    scaled = np.asarray(family.scaled(IMAGES))
    np.testing.assert_allclose(scaled[..., ::-1] if family.bgr else scaled, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in dir(applications) if callable(getattr(applications, name))])
def test_every_network_of_keras_is_known(name: str) -> None:
    assert Backbone(name, "none").name == name
    assert native_size(name)[0] >= 224


@pytest.mark.parametrize(
    ("name", "side"),
    [(LITE, 224), ("efficientnet-lite2", 260), ("efficientnetb3", 300), ("MobileNetV2", 224), ("xception", 299)],
)
def test_the_native_size_is_that_of_the_training_images(name: str, side: int) -> None:
    assert native_size(name) == (side, side)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        pytest.param("DenseNet121", applications.densenet, marks=pytest.mark.slow),
        ("MobileNetV2", applications.mobilenet_v2),
        pytest.param("ResNet50", applications.resnet, marks=pytest.mark.slow),
        pytest.param("VGG16", applications.vgg16, marks=pytest.mark.slow),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_of_weights_gives_the_features_that_it_gives_in_keras(name: str, module: ModuleType, tmp_path: Path) -> None:
    original = getattr(applications, name)(include_top=False, weights=None, input_shape=(40, 48, 3))
    original.save_weights(tmp_path / "own.weights.h5")
    expected = original(module.preprocess_input(IMAGES.copy()), training=False)
    network = Backbone(name, str(tmp_path / "own.weights.h5")).build((40, 48, 3), 3)
    assert_close(feature_map(network)(IMAGES, training=False), expected)


def test_a_file_in_the_old_format_does_too(tmp_path: Path) -> None:
    original = applications.MobileNet(include_top=False, weights=None, input_shape=(40, 48, 3))
    original.save(tmp_path / "own.h5")
    expected = original(applications.mobilenet.preprocess_input(IMAGES.copy()), training=False)
    network = Backbone("MobileNet", str(tmp_path / "own.h5")).build((40, 48, 3), 3)
    assert_close(feature_map(network)(IMAGES, training=False), expected)


def test_a_file_of_imagenet_weights_for_efficientnet_gets_the_scaling_that_keras_adds_to_a_download(tmp_path: Path) -> None:
    original = applications.EfficientNetB0(include_top=False, weights=None, input_shape=(40, 48, 3))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    as_downloaded = original.get_layer(index=2)
    as_downloaded.set_weights([mean, deviation, np.array(1)])
    original.save_weights(tmp_path / "own.weights.h5")
    network = Backbone("EfficientNetB0", str(tmp_path / "own.weights.h5")).build((40, 48, 3), 3)
    normalised = keras.Model(network.input, network.get_layer(index=2).output)(IMAGES)
    np.testing.assert_allclose(normalised, (IMAGES / 255 - mean) / deviation, atol=1e-5)


def test_weights_trained_from_nothing_for_efficientnet_keep_their_scaling(tmp_path: Path) -> None:
    original = applications.EfficientNetB0(include_top=False, weights=None, input_shape=(40, 48, 3))
    original.save_weights(tmp_path / "own.weights.h5")
    network = Backbone("EfficientNetB0", str(tmp_path / "own.weights.h5")).build((40, 48, 3), 3)
    assert_close(feature_map(network)(IMAGES, training=False), original(IMAGES, training=False))


def test_a_copy_of_the_installed_weights_can_be_passed(lite: keras.Model, tmp_path: Path) -> None:
    path = shutil.copy(installed_weights(LITE), tmp_path / "copy.pth")
    network = Backbone(LITE, str(path)).build((40, 48, 3), 3)
    np.testing.assert_array_equal(network.get_layer("head").kernel, lite.get_layer("head").kernel)


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    applications.MobileNetV2(include_top=False, weights=None).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ModelError, match=r"other\.weights\.h5 does not fit MobileNet without its top .* include_top=False"):
        Backbone("MobileNet", str(tmp_path / "other.weights.h5")).build((40, 48, 3), 3)


@pytest.mark.parametrize("file", ["text.weights.h5", "text.h5", "text.keras", "text.pth", "text"])
def test_files_that_hold_no_weights_are_refused_by_name(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("no weights")
    with pytest.raises(ModelError, match=rf"/{file} (does not fit|is not the file)"):
        Backbone(LITE, str(tmp_path / file)).build((40, 48, 3), 3)


def test_the_weights_of_another_variant_are_refused() -> None:
    with pytest.raises(ModelError, match=r"efficientnet-lite0-57934424\.pth is not the file"):
        Backbone("efficientnet-lite1", str(installed_weights(LITE))).build((40, 48, 3), 3)


@pytest.mark.slow
def test_without_a_network_the_message_says_what_else_can_be_done(tmp_path: Path) -> None:
    # In a process of its own: Keras reads KERAS_HOME, and urllib the proxies, only once.
    program = "from edgeclf.train.networks.backbones import *; Backbone('vgg16').build((64, 48, 3), 2)"
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = os.environ | nowhere | {"KERAS_HOME": str(tmp_path), "no_proxy": "", "NO_PROXY": ""}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    message = ran.stderr.splitlines()[-1]
    assert "OptionError: the ImageNet weights of VGG16 could not be fetched (URL fetch failure on https://" in message
    assert "Connection refused); connect, pass --weights FILE or --weights none, or take efficientnet-lite0" in message


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("mobilenet-v4", r"did you mean MobileNet"),
        ("resnet34", r"did you mean ResNet"),
        ("efficientnet-lite7", r"did you mean efficientnet-lite"),
        ("swin", r"known are ConvNeXt\*, DenseNet\*, .*, efficientnet-lite\*"),
    ],
)
def test_an_unknown_name_is_refused_with_what_comes_closest(name: str, advice: str) -> None:
    with pytest.raises(OptionError, match=rf"there is no backbone called {name}; {advice}"):
        Backbone(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, "dropout must be from 0 to under 1, not 1.0"),
        ({"dropout": -0.1}, "dropout must be from 0 to under 1, not -0.1"),
        ({"weights": "image-net"}, "weights must be imagenet, none or a file, and there is no file image-net"),
    ],
    ids=str,
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        Backbone(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "smallest"), [(LITE, 32), ("ResNet50", 32), ("Xception", 71), ("InceptionV3", 75)])
def test_images_too_small_for_the_network_are_refused(name: str, smallest: int) -> None:
    with pytest.raises(OptionError, match=rf"{name} needs images of at least {smallest} pixels, not {smallest - 1}"):
        Backbone(name, "none").build((100, smallest - 1, 3), 2)


def test_the_smallest_images_that_fit_are_taken() -> None:
    assert Backbone(weights="none").build((32, 32, 1), 2).output_shape == (None, 1)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        (LITE, ["block2b_add", "block3b_add"], ["block6d_add", "head_relu"]),
        ("MobileNetV2", ["block_2_add", "block_4_add"], ["block_15_add", "out_relu"]),
        pytest.param(
            "ResNet50", ["pool1_pool", "conv2_block1_add"], ["conv5_block2_add", "conv5_block3_out"], marks=pytest.mark.slow
        ),
        pytest.param(
            "DenseNet121", ["pool1", "conv2_block1_concat"], ["conv5_block15_concat", "relu"], marks=pytest.mark.slow
        ),
        pytest.param("VGG16", ["block1_pool", "block2_pool"], ["block4_pool", "block5_pool"], marks=pytest.mark.slow),
        ("MobileNet", ["conv1_relu", "conv_dw_1_relu"], ["conv_dw_13_relu", "conv_pw_13_relu"]),
    ],
)
def test_a_network_can_be_cut_between_its_blocks(name: str, first: list[str], last: list[str]) -> None:
    network = Backbone(name, "none").build((40, 48, 1), 2)
    ends = [layer.name for layer in block_ends(network)]
    assert (ends[:2], ends[-2:]) == (first, last)
    pooled = network.get_layer("pooled").output
    for blocks, output in ((0, network.output), (1, pooled), (len(ends) - 1, pooled), (len(ends) - 1, network.output)):
        cut = cut_before_last(network, blocks).output
        answer = keras.Model(cut, output)(keras.Model(network.input, cut)(IMAGES[..., :1]))
        assert_close(answer, keras.Model(network.input, output)(IMAGES[..., :1]))


def test_what_merges_or_pools_beside_another_branch_ends_no_block() -> None:
    image = keras.Input((32, 32, 3))
    stem = keras.layers.Conv2D(4, 3, padding="same")(image)
    side = keras.layers.MaxPooling2D(1, name="side")(stem)
    inner = keras.layers.Add(name="inner")([side, keras.layers.Conv2D(4, 3, padding="same")(side)])
    merged = keras.layers.Concatenate(name="merged")([inner, stem])
    last = keras.layers.Conv2D(4, 3, name="last")(merged)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="pooled")(last))
    assert [layer.name for layer in block_ends(network)] == ["merged", "last"]


def test_a_multiplication_by_squeeze_and_excite_ends_no_block() -> None:
    ends = block_ends(Backbone("MobileNetV3Small", "none").build((40, 48, 3), 2))
    assert [layer.name for layer in ends[:2]] == ["expanded_conv_2_add", "expanded_conv_4_add"]


@pytest.mark.parametrize(("blocks", "layer"), [(0, "pooled"), (1, "block6d_add"), (2, "block6c_add"), (9, "block2b_add")])
def test_the_last_blocks_are_counted_from_the_head(lite: keras.Model, blocks: int, layer: str) -> None:
    assert cut_before_last(lite, blocks).name == layer


@pytest.mark.parametrize("blocks", [10, -1])
def test_more_blocks_than_there_are_are_refused(lite: keras.Model, blocks: int) -> None:
    with pytest.raises(OptionError, match=rf"efficientnet-lite0 has 9 blocks after its stem, so the last {blocks} cannot"):
        cut_before_last(lite, blocks)
