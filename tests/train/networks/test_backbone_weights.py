"""Weights of pretrained networks in files, and weights that cannot be used."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from keras import applications

from edgeclf.runtime.errors import ModelError
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.efficientnet_lite import installed_weights

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 40, 48, 3)).astype(np.float32)
LITE = "efficientnet-lite0"


def assert_close(features: object, expected: object) -> None:
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())  # type: ignore[call-overload]


def feature_map(network: keras.Model) -> keras.Model:
    return keras.Model(network.input, network.get_layer("pooled").input)


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
def test_a_file_of_weights_gives_the_same_features_as_in_keras(name: str, module: ModuleType, tmp_path: Path) -> None:
    original = getattr(applications, name)(include_top=False, weights=None, input_shape=(40, 48, 3))
    original.save_weights(tmp_path / "own.weights.h5")
    expected = original(module.preprocess_input(IMAGES.copy()), training=False)
    network = Backbone(name, str(tmp_path / "own.weights.h5")).build((40, 48, 3), 3)
    assert_close(feature_map(network)(IMAGES, training=False), expected)


def test_a_weights_file_in_the_old_format_gives_the_same_features_as_in_keras(tmp_path: Path) -> None:
    original = applications.MobileNet(include_top=False, weights=None, input_shape=(40, 48, 3))
    original.save(tmp_path / "own.h5")
    expected = original(applications.mobilenet.preprocess_input(IMAGES.copy()), training=False)
    network = Backbone("MobileNet", str(tmp_path / "own.h5")).build((40, 48, 3), 3)
    assert_close(feature_map(network)(IMAGES, training=False), expected)


@pytest.fixture(scope="module")
def efficientnet() -> keras.Model:
    return applications.EfficientNetB0(include_top=False, weights=None, input_shape=(40, 48, 3))


def test_weights_of_efficientnet_trained_from_scratch_keep_their_scaling(efficientnet: keras.Model, tmp_path: Path) -> None:
    efficientnet.save_weights(tmp_path / "own.weights.h5")
    network = Backbone("EfficientNetB0", str(tmp_path / "own.weights.h5")).build((40, 48, 3), 3)
    assert_close(feature_map(network)(IMAGES, training=False), efficientnet(IMAGES, training=False))


def test_imagenet_weights_of_efficientnet_in_a_file_get_the_scaling_that_keras_adds_to_a_download(
    efficientnet: keras.Model, tmp_path: Path
) -> None:
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    as_downloaded = efficientnet.get_layer(index=2)
    before = as_downloaded.get_weights()
    as_downloaded.set_weights([mean, deviation, np.array(1)])
    efficientnet.save_weights(tmp_path / "own.weights.h5")
    as_downloaded.set_weights(before)
    network = Backbone("EfficientNetB0", str(tmp_path / "own.weights.h5")).build((40, 48, 3), 3)
    normalised = keras.Model(network.input, network.get_layer(index=2).output)(IMAGES)
    np.testing.assert_allclose(normalised, (IMAGES / 255 - mean) / deviation, atol=1e-5)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    applications.MobileNetV2(include_top=False, weights=None).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ModelError, match=r"other\.weights\.h5 .*MobileNet .*include_top=False"):
        Backbone("MobileNet", str(tmp_path / "other.weights.h5")).build((40, 48, 3), 3)


@pytest.mark.parametrize("file", ["text.weights.h5", "text.h5", "text.keras", "text.pth", "text"])
def test_files_without_weights_are_refused_by_name(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("no weights")
    with pytest.raises(ModelError, match=rf"/{file} (does not fit|is not the expected file)"):
        Backbone(LITE, str(tmp_path / file)).build((40, 48, 3), 3)


def test_the_weights_of_another_variant_are_refused() -> None:
    with pytest.raises(ModelError, match=r"efficientnet-lite0-57934424\.pth is not the expected file"):
        Backbone("efficientnet-lite1", str(installed_weights(LITE))).build((40, 48, 3), 3)


@pytest.mark.slow
def test_a_failed_download_is_an_error_with_advice(tmp_path: Path) -> None:
    # In a new process, because Keras reads KERAS_HOME and urllib reads the proxies only once.
    program = "from edgeclf.train.networks.backbones import *; Backbone('vgg16').build((64, 48, 3), 2)"
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = os.environ | nowhere | {"KERAS_HOME": str(tmp_path), "no_proxy": "", "NO_PROXY": ""}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    message = ran.stderr.splitlines()[-1]
    assert re.search(r"OptionError: .*VGG16 .*URL fetch failure on https://.*Connection refused", message)
    assert re.search("--weights FILE .*efficientnet-lite0", message)
