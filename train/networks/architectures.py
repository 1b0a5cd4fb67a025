"""Networks that `clf-train` trains from scratch: from pixels of 0 to 255 to one probability per class, or one sigmoid."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.card import Head

if TYPE_CHECKING:
    import keras
    from keras import layers


class Network(Protocol):
    """A description, in plain values, that builds a Keras network."""

    def build(self, shape: tuple[int, int, int], classes: int) -> "keras.Model":
        """Build a network from images `[N, H, W, C]`, 0 to 255, to `classes` probabilities, or one sigmoid for two classes.

        Raises OptionError if images of `shape` are too small for it.
        """
        ...

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise OptionError if images of `shape` are too small, without loading Keras."""
        ...


@dataclass(frozen=True)
class ConvNet:
    """Blocks of convolution, batch norm, ReLU and 2x2 pooling; global average pooling; dense layers; the head.

    filters: channels of each block. The first convolution is 5x5 with stride 2, the others 3x3 with stride 1: at full
        resolution, the first one would take two thirds of the time without better accuracy on the solar cells.
    dense: units of each dense layer before the head. dropout: dropout rate before the head, 0 to under 1.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128)
    dense: tuple[int, ...] = ()
    dropout: float = 0.3

    def __post_init__(self) -> None:
        _check_sizes(self.filters, self.dense, self.dropout)

    def build(self, shape: tuple[int, int, int], classes: int) -> "keras.Model":
        """A network for images of `shape` `[H, W, C]`. Raises OptionError if the images are too small for it."""
        self.check(shape)
        import keras
        from keras import layers

        image = keras.Input(shape, name="image")
        x = layers.Rescaling(1 / 255)(image)
        for index, filters in enumerate(self.filters):
            size, stride = (5, 2) if index == 0 else (3, 1)
            x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
            # With the default of 0.99, the initial statistics last for hundreds of steps; a small data set has few.
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
            x = layers.MaxPooling2D()(x)
        x = layers.GlobalAveragePooling2D()(x)
        for units in self.dense:
            x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(self.dropout)(x)
        return keras.Model(image, head(classes, head_for(classes))(x), name="convnet")

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise OptionError if images of `shape` are too small."""
        _check_image(shape, 2 ** (len(self.filters) + 1), len(self.filters))


@dataclass(frozen=True)
class FlatNet:
    """The network of the tutorials: 3x3 convolutions with ReLU and 2x2 pooling, flattened into dense layers.

    Nearly all parameters are in the first dense layer, which also fixes the image size. two_classes: the head for two
    classes; for more, it is always a softmax.
    """

    filters: tuple[int, ...]
    dense: tuple[int, ...] = ()
    dropout: float = 0.0
    two_classes: Head = "sigmoid"

    def __post_init__(self) -> None:
        _check_sizes(self.filters, self.dense, self.dropout)

    def build(self, shape: tuple[int, int, int], classes: int) -> "keras.Model":
        """A network for images of `shape` `[H, W, C]`. Raises OptionError if the images are too small for it."""
        self.check(shape)
        import keras
        from keras import layers

        image = keras.Input(shape, name="image")
        x = layers.Rescaling(1 / 255)(image)
        for filters in self.filters:
            x = layers.Conv2D(filters, 3, activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        x = layers.Flatten()(x)
        for units in self.dense:
            x = layers.Dense(units, activation="relu")(x)
        if self.dropout:
            x = layers.Dropout(self.dropout)(x)
        kind = self.two_classes if classes == 2 else "softmax"
        return keras.Model(image, head(classes, kind)(x), name="flatnet")

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise OptionError if images of `shape` are too small."""
        smallest = 3 * 2 ** len(self.filters) - 2  # each block removes two pixels of the border and halves the rest
        _check_image(shape, smallest, len(self.filters))


def head(classes: int, kind: Head) -> "layers.Dense":
    """The last layer, called `probabilities`."""
    from keras import layers

    return layers.Dense(1 if kind == "sigmoid" else classes, activation=kind, name="probabilities")


def head_of(network: "keras.Model") -> Head:
    """The head of a network, by its number of outputs."""
    return "sigmoid" if network.output_shape[-1] == 1 else "softmax"


def head_for(classes: int) -> Head:
    """One sigmoid unit for two classes, softmax for more."""
    return "sigmoid" if classes == 2 else "softmax"


def _check_image(shape: tuple[int, int, int], smallest: int, blocks: int) -> None:
    if min(shape[:2]) < smallest:
        raise OptionError(f"{blocks} blocks need images of at least {smallest} pixels, not {min(shape[:2])}")


def _check_sizes(filters: tuple[int, ...], dense: tuple[int, ...], dropout: float) -> None:
    if not filters or min(*filters, *dense, 1) < 1:
        raise OptionError(f"filters and dense take positive whole numbers, not {filters} and {dense}")
    if not 0 <= dropout < 1:
        raise OptionError(f"dropout must be from 0 to under 1, not {dropout}")
