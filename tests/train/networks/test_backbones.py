"""Pretrained networks with a new head: input, output, blocks, weights, and what is refused."""

import shutil
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from keras import applications

from edgeclf.runtime.errors import OptionError
from edgeclf.train.networks.architectures import head_for
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.efficientnet_lite import headless, installed_weights
from edgeclf.train.networks.families import APPLICATIONS, FAMILIES, native_size
from edgeclf.train.networks.pretrained import block_ends, count_earlier, cut_before_last, features_of, scaled

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


@cache
def untrained(name: str = LITE) -> keras.Model:
    """A network for grey images of three classes, with random weights. Read only."""
    return Backbone(name, "none").build((40, 48, 1), 3)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_follows_the_number_of_classes(classes: int) -> None:
    network = untrained() if classes == 3 else Backbone(weights="none").build((40, 48, 1), classes)
    head = network.layers[-1]
    assert (head.name, head.activation.__name__, head.units) == (
        "probabilities",
        head_for(classes),
        1 if classes == 2 else 3,
    )
    predicted = network(IMAGES[..., :1]).numpy()
    assert predicted.shape == (2, head.units)
    if classes == 3:
        np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)


def test_the_features_are_those_of_the_pretrained_network(lite: keras.Model) -> None:
    expected = headless(LITE)(IMAGES, training=False)
    assert_close(feature_map(lite)(IMAGES, training=False), expected)


def test_the_graph_is_flat_and_ends_in_features_dropout_head(lite: keras.Model) -> None:
    assert not [layer for layer in lite.layers if isinstance(layer, keras.Model)]
    assert [type(layer).__name__ for layer in lite.layers[-3:]] == ["Concatenate", "Dropout", "Dense"]
    assert (lite.layers[-3].name, lite.layers[-2].rate) == ("features", 0.2)


def test_a_grey_channel_is_repeated_three_times(lite: keras.Model) -> None:
    levels = IMAGES[..., :1]
    grey = feature_map(Backbone().build((40, 48, 1), 3))
    assert_close(grey(levels), feature_map(lite)(np.repeat(levels, 3, axis=-1)))


@pytest.mark.parametrize(
    "name", [LITE, *(pytest.param(name, marks=pytest.mark.slow) for name in ("MobileNetV3Small", "ResNet50"))]
)
def test_a_saved_network_loads_in_safe_mode_with_the_same_output(name: str, tmp_path: Path) -> None:
    network = untrained(name)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert_close(feature_map(loaded)(IMAGES[..., :1]), feature_map(network)(IMAGES[..., :1]))
    assert_close(loaded(IMAGES[..., :1]), network(IMAGES[..., :1]))
    assert [layer.name for layer in block_ends(loaded)] == [layer.name for layer in block_ends(network)]


@pytest.mark.parametrize(
    ("name", "official"),
    [
        pytest.param("MobileNetV3Small", "MobileNetV3Small", marks=pytest.mark.slow),
        pytest.param("mobilenetv3small", "MobileNetV3Small", marks=pytest.mark.slow),
        ("mobilenet-v3-small", "MobileNetV3Small"),
        ("EfficientNet_Lite0", LITE),
    ],
)
def test_case_and_hyphens_in_a_name_do_not_matter(name: str, official: str) -> None:
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
def test_every_family_scales_pixels_like_its_preprocess_input(name: str, module: ModuleType) -> None:
    family = next(family for pattern, family in FAMILIES.items() if fnmatchcase(name, pattern))
    expected = module.preprocess_input(IMAGES.copy())
    pixels = np.asarray(scaled(IMAGES, family))
    np.testing.assert_allclose(pixels[..., ::-1] if family.bgr else pixels, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in dir(applications) if callable(getattr(applications, name))])
def test_every_network_of_keras_applications_is_known(name: str) -> None:
    assert Backbone(name, "none").name == name
    assert native_size(name)[0] >= 224


@pytest.mark.parametrize(
    ("name", "side"),
    [(LITE, 224), ("efficientnet-lite2", 260), ("efficientnetb3", 300), ("MobileNetV2", 224), ("xception", 299)],
)
def test_the_native_size_is_that_of_the_training_images(name: str, side: int) -> None:
    assert native_size(name) == (side, side)


def test_a_copy_of_the_installed_weights_can_be_passed(lite: keras.Model, tmp_path: Path) -> None:
    path = shutil.copy(installed_weights(LITE), tmp_path / "copy.pth")
    network = Backbone(LITE, str(path)).build((40, 48, 3), 3)
    np.testing.assert_array_equal(network.get_layer("head").kernel, lite.get_layer("head").kernel)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("mobilenet-v4", r"did you mean MobileNet"),
        ("resnet34", r"did you mean ResNet"),
        ("efficientnet-lite7", r"did you mean efficientnet-lite"),
        ("swin", r"take cnn, efficientnet-lite0 or a network of keras.applications"),
    ],
)
def test_an_unknown_name_is_refused_with_the_closest_ones(name: str, advice: str) -> None:
    with pytest.raises(OptionError, match=rf"there is no network '{name}'; {advice}"):
        Backbone(name)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dropout": 1.0}, r"dropout .*not 1\.0"),
        ({"dropout": -0.1}, r"dropout .*not -0\.1"),
        ({"weights": "image-net"}, "weights .*image-net"),
    ],
    ids=str,
)
def test_invalid_options_are_refused(options: dict[str, object], error: str) -> None:
    with pytest.raises(OptionError, match=error):
        Backbone(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "smallest"), [(LITE, 32), ("ResNet50", 32), ("Xception", 71), ("InceptionV3", 75)])
def test_images_too_small_for_the_network_are_refused(name: str, smallest: int) -> None:
    with pytest.raises(OptionError, match=rf"{name} needs images of at least {smallest} pixels, not {smallest - 1}"):
        Backbone(name, "none").build((100, smallest - 1, 3), 2)


def test_the_smallest_allowed_images_are_accepted() -> None:
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
    network = untrained(name)
    ends = [layer.name for layer in block_ends(network)]
    assert (ends[:2], ends[-2:]) == (first, last)
    features = features_of(network)
    for blocks, output in ((0, network.output), (1, features), (len(ends) - 1, features), (len(ends) - 1, network.output)):
        cut = cut_before_last(network, blocks)
        read = keras.Model(network.input, cut)(IMAGES[..., :1])
        assert_close(keras.Model(cut, output)(read), keras.Model(network.input, output)(IMAGES[..., :1]))


def test_a_layer_beside_another_branch_does_not_end_a_block() -> None:
    image = keras.Input((32, 32, 3))
    stem = keras.layers.Conv2D(4, 3, padding="same")(image)
    side = keras.layers.MaxPooling2D(1, name="side")(stem)
    inner = keras.layers.Add(name="inner")([side, keras.layers.Conv2D(4, 3, padding="same")(side)])
    merged = keras.layers.Concatenate(name="merged")([inner, stem])
    last = keras.layers.Conv2D(4, 3, name="last")(merged)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="pooled")(last))
    assert [layer.name for layer in block_ends(network)] == ["merged", "last"]


def test_squeeze_and_excite_does_not_end_a_block() -> None:
    ends = block_ends(untrained("MobileNetV3Small"))
    assert [layer.name for layer in ends[:2]] == ["expanded_conv_2_add", "expanded_conv_4_add"]


@pytest.mark.parametrize(
    ("blocks", "made_by", "earlier"),
    [(0, "features", 0), (1, "block6d_add", 6), (2, "block6c_add", 4), (4, "block5c_add", 4), (9, "block2b_add", 0)],
)
def test_the_last_blocks_are_counted_from_the_head(lite: keras.Model, blocks: int, made_by: str, earlier: int) -> None:
    first, *averages = cut_before_last(lite, blocks)
    assert first._keras_history.operation.name == made_by
    assert len(averages) == earlier


def test_the_head_also_sees_the_ends_of_earlier_stages(lite: keras.Model) -> None:
    ends = ["block4c_add", "block5c_add", "block6d_add", "block7a_project_norm"]
    outputs = [lite.get_layer(name).output for name in (*ends, "head_relu")]
    *maps, last, features = keras.Model(lite.input, [*outputs, features_of(lite)])(IMAGES)
    averages = [np.asarray(each).mean(axis=(1, 2)) / 8 for x in maps for each in (np.maximum(x, 0), x)]
    assert_close(features, np.concatenate([*averages, np.asarray(last).mean(axis=(1, 2))], axis=1))
    assert count_earlier(lite) == 2 * (80 + 112 + 192 + 320)


def test_other_networks_only_see_the_last_feature_map() -> None:
    network = untrained("MobileNetV3Small")
    assert (features_of(network) is network.get_layer("pooled").output, count_earlier(network)) == (True, 0)


@pytest.mark.parametrize("blocks", [10, -1])
def test_a_wrong_number_of_blocks_is_refused(lite: keras.Model, blocks: int) -> None:
    with pytest.raises(OptionError, match=rf"efficientnet-lite0 has 9 blocks .*last {blocks} cannot"):
        cut_before_last(lite, blocks)


def test_the_networks_of_keras_are_known_without_loading_it() -> None:
    found = [name for name in dir(keras.applications) if callable(getattr(keras.applications, name))]
    assert sorted(APPLICATIONS) == [name for name in found if any(fnmatchcase(name, pattern) for pattern in FAMILIES)]
