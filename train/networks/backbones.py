"""Networks pretrained on ImageNet, with a new head: a small data set is rarely enough to train more than the head.

The whole network, from pixels of 0 to 255 to probabilities, is one flat graph that can be cut between layers: layers before
the cut are frozen, and layers after it are trained.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import keras
from keras import layers

from edgeclf.runtime.errors import ModelError, OptionError, first_line
from edgeclf.runtime.spelling import close_to, did_you_mean, plain
from edgeclf.train.networks import efficientnet_lite
from edgeclf.train.networks.architectures import head, head_for

POOLED = "pooled"
"""The name of the layer that averages the last feature map."""


@dataclass(frozen=True)
class Family:
    """The input that networks of one family expect: pixels * scale + offset.

    scale: None if the network scales its input itself. bgr: the channels are blue, green, red. smallest: the smallest side
    of an image, in pixels.
    """

    scale: float | tuple[float, ...] | None = None
    offset: float | tuple[float, ...] = 0.0
    bgr: bool = False
    smallest: int = 32

    def scaled(self, rgb: keras.KerasTensor) -> keras.KerasTensor:
        """Like `preprocess_input` of the family, but channels stay in their order."""
        return rgb if self.scale is None else layers.Rescaling(self.scale, self.offset, name="rescaling")(rgb)


_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STANDARDISED = Family(
    tuple(1 / (255 * deviation) for deviation in _DEVIATION),
    tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),
)
_CENTRED = Family(1.0, (-123.68, -116.779, -103.939), bgr=True)

FAMILIES = {
    "ConvNeXt*": Family(),
    "DenseNet*": _STANDARDISED,
    "EfficientNet*": Family(),
    "Inception*": Family(1 / 127.5, -1.0, smallest=75),
    "MobileNetV3*": Family(),
    "MobileNet*": Family(1 / 127.5, -1.0),
    "NASNet*": Family(1 / 127.5, -1.0),
    "ResNet*V2": Family(1 / 127.5, -1.0),
    "ResNet*": _CENTRED,
    "VGG*": _CENTRED,
    "Xception": Family(1 / 127.5, -1.0, smallest=71),
    "efficientnet-lite*": Family(),
}
"""By name as in keras.applications; the first pattern that matches counts."""
_NATIVE_SIDES = {
    **{f"EfficientNetB{number}": side for number, side in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    **{f"EfficientNetV2B{number}": side for number, side in enumerate((224, 240, 260, 300))},
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionV3": 299,
    "InceptionResNetV2": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}
"""Native image sides other than 224."""


@dataclass(frozen=True)
class Backbone:
    """A network without its top, followed by global average pooling, dropout and a new head.

    name: efficientnet-lite0 to 2, or a network of keras.applications; case, - and _ do not matter.
    weights: "imagenet", "none" (train from scratch), or a file of weights for the network without its top.
    dropout: dropout rate before the head, 0 to under 1.
    """

    name: str = "efficientnet-lite0"
    weights: str = "imagenet"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout must be from 0 to under 1, not {self.dropout}")
        if self.weights not in ("imagenet", "none") and not Path(self.weights).is_file():
            raise OptionError(f"weights must be imagenet, none or a file, and there is no file {self.weights}")
        _official_name(self.name)

    def build(self, shape: tuple[int, int, int], classes: int) -> keras.Model:
        """A network for images of `shape` `[H, W, C]`. A grey channel is repeated three times.

        Raises OptionError if the images are too small or the weights are not available, and ModelError if a file of weights
        does not fit.
        """
        name = _official_name(self.name)
        smallest = _family_of(name).smallest
        if min(shape[:2]) < smallest:
            raise OptionError(f"{name} needs images of at least {smallest} pixels, not {min(shape[:2])}")
        image = keras.Input(shape, name="image")
        x = self._headless(name, image).output
        x = layers.GlobalAveragePooling2D(name=POOLED)(x)
        x = layers.Dropout(self.dropout)(x)
        return keras.Model(image, head(classes, head_for(classes))(x), name=name)

    def _headless(self, name: str, image: keras.KerasTensor) -> keras.Model:
        family, lite = _family_of(name), name in efficientnet_lite.VARIANTS
        rgb = layers.Concatenate(name="grey_to_rgb")([image] * 3) if image.shape[-1] == 1 else image
        if lite:
            network = keras.Model(image, efficientnet_lite.features(name, rgb))
        else:
            network = _application(name, family.scaled(rgb), self.weights)
        if self.weights == "imagenet" and lite:
            efficientnet_lite.load_weights(network, name, efficientnet_lite.installed_weights(name))
        elif self.weights not in ("imagenet", "none"):
            _load_file(network, name, Path(self.weights))
        if self.weights != "none" and family.bgr:
            _reverse_colours(network)
        return network


def block_ends(network: keras.Model) -> list[keras.Layer]:
    """The last layer of each block of a `Backbone` network, from input to output.

    All later layers depend on earlier ones only through the output of such a layer. It merges branches by adding or
    concatenating, or it pools, or its output is the last feature map. Every block contains a convolution: if there is none
    between several candidates, only the last one counts. If a network has no such layers (MobileNet, ConvNeXt), every layer
    at which the graph can be cut is a candidate.
    """
    ends = _ends(network, _merges_or_pools)
    return ends if len(ends) > 1 else _ends(network, lambda operation: isinstance(operation, layers.Layer))


def cut_before_last(network: keras.Model, blocks: int) -> keras.Layer:
    """The layer before the last `blocks` blocks. For 0, the pooling layer, so that only the head comes after it.

    The last block lies between the last two of `block_ends`. The layers up to the first of them, the stem, are not a block.
    Raises OptionError if there are not enough blocks.
    """
    if blocks == 0:
        return network.get_layer(POOLED)
    ends = block_ends(network)
    if not 0 < blocks < len(ends):
        cause = f"{network.name} has {len(ends) - 1} blocks after its stem, so the last {blocks} cannot be fine-tuned"
        raise OptionError(f"{cause}; with 0, only the head is trained")
    return ends[-(blocks + 1)]


def native_size(name: str) -> tuple[int, int]:
    """Height and width of the images that the network was pretrained on."""
    official = _official_name(name)
    lite = efficientnet_lite.VARIANTS.get(official)
    side = lite.size if lite else _NATIVE_SIDES.get(official, 224)
    return side, side


def _official_name(name: str) -> str:
    """The official spelling of a name. Raises OptionError for an unknown one."""
    known = {plain(official): official for official in (*efficientnet_lite.VARIANTS, *_applications())}
    if plain(name) in known:
        return known[plain(name)]
    close = close_to(name, known.values())
    others = "take cnn, efficientnet-lite0 or a network of keras.applications, such as MobileNetV2"
    raise OptionError(f"there is no network {name!r}; {did_you_mean(close) or others}")


def _applications() -> list[str]:
    names = [name for name in dir(keras.applications) if callable(getattr(keras.applications, name))]
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in FAMILIES)]


def _family_of(name: str) -> Family:
    return next(family for pattern, family in FAMILIES.items() if fnmatchcase(name, pattern))


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
    lite = name in efficientnet_lite.VARIANTS
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
        normalization.set_weights([mean, variance * _DEVIATION, count])
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
    for operation, can_cut in _operations(network):
        learned = learned or _has_kernel(operation)
        if can_cut and (operation.output is feature_map or is_candidate(operation)):
            if learned:
                ends.append(operation)
            elif ends:  # layers before the first convolution, such as grey_to_rgb, are not a block
                ends[-1] = operation
            learned = False
        if operation.output is feature_map:
            break
    return ends


def _merges_or_pools(operation: keras.Operation) -> bool:
    if not isinstance(operation, layers.Layer) or isinstance(operation, layers.Multiply):
        return False
    pools = isinstance(operation, (layers.MaxPooling2D, layers.AveragePooling2D))
    return pools or len(keras.tree.flatten(operation.input)) > 1


def _has_kernel(operation: keras.Operation) -> bool:
    """Whether it has more weights than the per-channel ones of a normalisation."""
    return isinstance(operation, layers.Layer) and any(len(weight.shape) > 1 for weight in operation.weights)
