"""What is known about pretrained networks before Keras is loaded: their names, their input and their image sizes."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import close_to, did_you_mean, plain


@dataclass(frozen=True)
class LiteVariant:
    """An EfficientNet-Lite: native image side, width and depth multipliers, and the SHA-256 of the weights."""

    size: int
    width: float
    depth: float
    sha256: str


LITE = {
    "efficientnet-lite0": LiteVariant(224, 1.0, 1.0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet-lite1": LiteVariant(240, 1.0, 1.1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet-lite2": LiteVariant(260, 1.1, 1.2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
"""The family whose ImageNet weights are installed by pip."""


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


_MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STANDARDISED = Family(
    tuple(1 / (255 * deviation) for deviation in DEVIATION),
    tuple(-mean / deviation for mean, deviation in zip(_MEAN, DEVIATION, strict=True)),
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


APPLICATIONS = (
    *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *(
        "EfficientNetB0",
        "EfficientNetB1",
        "EfficientNetB2",
        "EfficientNetB3",
        "EfficientNetB4",
        "EfficientNetB5",
        "EfficientNetB6",
        "EfficientNetB7",
    ),
    *(
        "EfficientNetV2B0",
        "EfficientNetV2B1",
        "EfficientNetV2B2",
        "EfficientNetV2B3",
        "EfficientNetV2L",
        "EfficientNetV2M",
        "EfficientNetV2S",
    ),
    *("InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile"),
    *("ResNet101", "ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50", "ResNet50V2"),
    *("VGG16", "VGG19"),
    "Xception",
)
"""The networks of keras.applications, as Keras spells them."""


def native_size(name: str) -> tuple[int, int]:
    """Height and width of the images that the network was pretrained on."""
    official = official_name(name)
    lite = LITE.get(official)
    side = lite.size if lite else _NATIVE_SIDES.get(official, 224)
    return side, side


def official_name(name: str) -> str:
    """The official spelling of a name. Raises OptionError for an unknown one."""
    known = {plain(official): official for official in (*LITE, *APPLICATIONS)}
    if plain(name) in known:
        return known[plain(name)]
    close = close_to(name, known.values())
    others = "take cnn, efficientnet-lite0 or a network of keras.applications, such as MobileNetV2"
    raise OptionError(f"there is no network {name!r}; {did_you_mean(close) or others}")


def family_of(name: str) -> Family:
    """The family of a network by its official name."""
    return next(family for pattern, family in FAMILIES.items() if fnmatchcase(name, pattern))
