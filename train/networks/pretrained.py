"""Builds pretrained networks with a new head in Keras, and finds where they can be cut.

The whole network, from pixels of 0 to 255 to probabilities, is one flat graph that can be cut between layers: layers before
the cut are frozen, and layers after it are trained.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import keras
from keras import layers

from edgeclf.runtime.errors import ModelError, OptionError, first_line
from edgeclf.train.networks import efficientnet_lite
from edgeclf.train.networks.architectures import head, head_for
from edgeclf.train.networks.families import DEVIATION, LITE, Family, family_of, official_name

POOLED, FEATURES = "pooled", "features"
"""The names of the layers that average the last feature map, and that put the averages of earlier ones in front of it."""
_EARLIER_SCALE = 1 / 8
"""Earlier feature maps have no activation, and larger numbers. In INT8, all features share one scale."""


def build_pretrained(name: str, weights: str, dropout: float, shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The network that a `Backbone` describes, for images of `shape` `[H, W, C]`. Raises what `Backbone.build` says."""
    name = official_name(name)
    image = keras.Input(shape, name="image")
    x = _features(name, _headless(name, image, weights))
    x = layers.Dropout(dropout)(x)
    return keras.Model(image, head(classes, head_for(classes))(x), name=name)


def block_ends(network: keras.Model) -> list[keras.Layer]:
    """The last layer of each block of a `Backbone` network, from input to output.

    All later layers, up to the last feature map, depend on earlier ones only through the output of such a layer. It merges
    branches by adding or concatenating, or it pools, or its output is the last feature map. Every block contains a
    convolution: if there is none between several candidates, only the last one counts. If a network has no such layers
    (MobileNet, ConvNeXt), every layer at which the graph can be cut is a candidate.
    """
    ends = _ends(network, _merges_or_pools)
    return ends if len(ends) > 1 else _ends(network, lambda operation: isinstance(operation, layers.Layer))


def features_of(network: keras.Model) -> keras.KerasTensor:
    """What the head of a `Backbone` network sees, before dropout: `[N, D]`."""
    return network.layers[-2].input


def count_earlier(network: keras.Model) -> int:
    """How many of the features come from earlier feature maps than the last one. They are the first ones."""
    return int(features_of(network).shape[-1] - network.get_layer(POOLED).output.shape[-1])


def cut_before_last(network: keras.Model, blocks: int) -> tuple[keras.KerasTensor, ...]:
    """What the last `blocks` blocks and the head read of the layers before them. For 0, what the head sees.

    The last block lies between the last two of `block_ends`. The layers up to the first of them, the stem, are not a block.
    Raises OptionError if there are not enough blocks.
    """
    features = features_of(network)
    if blocks == 0:
        return (features,)
    ends = block_ends(network)
    if not 0 < blocks < len(ends):
        cause = f"{network.name} has {len(ends) - 1} blocks after its stem, so the last {blocks} cannot be fine-tuned"
        raise OptionError(f"{cause}; with 0, only the head is trained")
    cut = ends[-(blocks + 1)].output
    averages = keras.tree.flatten(features._keras_history.operation.input)
    before = _kernels(network, cut)
    return (cut, *(average for average in averages if _kernels(network, average) <= before))


def layers_before(network: keras.Model, tensors: Sequence[keras.KerasTensor]) -> list[keras.Layer]:
    """The layers that the tensors depend on."""
    return list(keras.Model(network.input, list(tensors)).layers)


def _features(name: str, network: keras.Model) -> keras.KerasTensor:
    """The average of the last feature map; for EfficientNet-Lite, behind those of the ends of earlier stages.

    With them, a head sees textures, too, and not only objects: on photos of waste and of solar cells, it was right on 2 to
    5 % more of the images. They cost no time. Of each map, the positive part is also averaged: the maps have no activation.
    """
    pooled = layers.GlobalAveragePooling2D(name=POOLED)(network.output)
    averages = []
    for end in efficientnet_lite.stage_ends(name) if name in LITE else ():
        x = network.get_layer(end).output
        for kind, values in (("positive", layers.ReLU(name=f"{end}_positive")(x)), ("all", x)):
            mean = layers.GlobalAveragePooling2D(name=f"{end}_{kind}_mean")(values)
            averages.append(layers.Rescaling(_EARLIER_SCALE, name=f"{end}_{kind}_scaled")(mean))
    return layers.Concatenate(name=FEATURES)([*averages, pooled]) if averages else pooled


def _headless(name: str, image: keras.KerasTensor, weights: str) -> keras.Model:
    family, lite = family_of(name), name in LITE
    rgb = layers.Concatenate(name="grey_to_rgb")([image] * 3) if image.shape[-1] == 1 else image
    if lite:
        network = keras.Model(image, efficientnet_lite.features(name, rgb))
    else:
        network = _application(name, scaled(rgb, family), weights)
    if weights == "imagenet" and lite:
        efficientnet_lite.load_weights(network, name, efficientnet_lite.installed_weights(name))
    elif weights not in ("imagenet", "none"):
        _load_file(network, name, Path(weights))
    if weights != "none" and family.bgr:
        _reverse_colours(network)
    return network


def scaled(rgb: keras.KerasTensor, family: Family) -> keras.KerasTensor:
    """Like `preprocess_input` of the family, but channels stay in their order."""
    return rgb if family.scale is None else layers.Rescaling(family.scale, family.offset, name="rescaling")(rgb)


def _application(name: str, scaled: keras.KerasTensor, weights: str) -> keras.Model:
    """Continue the graph after `scaled`. ImageNet weights are downloaded once and kept in ~/.keras."""
    application = getattr(keras.applications, name)
    if weights != "imagenet":
        return application(include_top=False, weights=None, input_tensor=scaled)
    try:
        with warnings.catch_warnings():
            # MobileNet warns that it uses the weights for 224 at other image sizes, which is what we want.
            warnings.simplefilter("ignore")
            return application(include_top=False, weights=weights, input_tensor=scaled)
    except Exception as error:  # Keras wraps what urllib raises into a plain Exception
        advice = (
            "connect to the internet, pass --weights FILE or none, or use efficientnet-lite0, whose weights come with pip"
        )
        cause = f"the ImageNet weights of {name} could not be downloaded ({first_line(error)})"
        raise OptionError(f"{cause}; {advice}") from None


def _load_file(network: keras.Model, name: str, path: Path) -> None:
    lite = name in LITE
    if path.suffix == ".pth" and lite:
        efficientnet_lite.load_weights(network, name, path)
        return
    try:
        network.load_weights(path)
    except Exception as error:  # for a file that does not fit, h5py and Keras raise anything from KeyError to OSError
        kinds = ".weights.h5, .h5 or .pth" if lite else ".weights.h5 or .h5"
        cause = f"{path} does not fit {name} without its top ({first_line(error)})"
        raise ModelError(f"{cause}; pass a {kinds} file that was saved with include_top=False") from None
    if fnmatchcase(name, "EfficientNetB*"):
        _fix_normalization(network)


def _fix_normalization(network: keras.Model) -> None:
    """Correct the ImageNet files, which hold deviations in place of variances. Keras does so only for its own downloads.

    https://github.com/tensorflow/tensorflow/issues/49930
    """
    normalization = next(layer for layer in network.layers if isinstance(layer, layers.Normalization))
    mean, variance, count = normalization.get_weights()
    if mean.any():  # a network trained from scratch has never measured it
        normalization.set_weights([mean, variance * DEVIATION, count])
        normalization.finalize_state()


def _reverse_colours(network: keras.Model) -> None:
    """Let a network that was trained on BGR take RGB: reversing the kernel gives the same result at no cost."""
    first = next(layer for layer in network.layers if isinstance(layer, layers.Conv2D))
    first.kernel.assign(first.kernel[:, :, ::-1])


def _operations(network: keras.Model) -> Iterator[tuple[keras.Operation, bool]]:
    """From input to output, each with whether the graph can be cut there: no later one reads an earlier output."""
    operations = network.operations
    makers = {id(tensor): index for index, maker in enumerate(operations) for tensor in keras.tree.flatten(maker.output)}
    last_readers = list(range(len(operations)))
    for index, reader in enumerate(operations):
        for tensor in keras.tree.flatten(reader.input):
            last_readers[makers[id(tensor)]] = index
    reach = 0
    for index, operation in enumerate(operations):
        yield operation, reach <= index
        reach = max(reach, last_readers[index])


def _ends(network: keras.Model, is_candidate: Callable[[keras.Operation], bool]) -> list[keras.Layer]:
    ends: list[keras.Layer] = []
    learned = False
    feature_map = network.get_layer(POOLED).input
    for operation, can_cut in _operations(keras.Model(network.input, feature_map)):
        learned = learned or _has_kernel(operation)
        if can_cut and (operation.output is feature_map or is_candidate(operation)):
            if learned:
                ends.append(operation)
            elif ends:  # layers before the first convolution, such as grey_to_rgb, are not a block
                ends[-1] = operation
            learned = False
    return ends


def _kernels(network: keras.Model, tensor: keras.KerasTensor) -> set[str]:
    """The names of the layers with kernels that a tensor depends on."""
    return {layer.name for layer in layers_before(network, [tensor]) if _has_kernel(layer)}


def _merges_or_pools(operation: keras.Operation) -> bool:
    if not isinstance(operation, layers.Layer) or isinstance(operation, layers.Multiply):
        return False
    pools = isinstance(operation, (layers.MaxPooling2D, layers.AveragePooling2D))
    return pools or len(keras.tree.flatten(operation.input)) > 1


def _has_kernel(operation: keras.Operation) -> bool:
    """Whether it has more weights than the per-channel ones of a normalisation."""
    return isinstance(operation, layers.Layer) and any(len(weight.shape) > 1 for weight in operation.weights)
