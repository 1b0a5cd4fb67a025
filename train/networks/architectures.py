"""The networks that `clf-train` builds from nothing: pixels 0 to 255 in, one probability a class (or one sigmoid) out."""

from dataclasses import dataclass

import keras
from keras import layers

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.card import Head


@dataclass(frozen=True)
class ConvNet:
    """Blocks of convolution, batch norm, ReLU and 2x2 pooling; the mean over what is left; dense layers; the head.

    filters: channels of each block. The first convolution is 5x5 with stride 2, the others 3x3 with stride 1: the full
        resolution costs two thirds of the time and, on the solar cells, gives nothing back.
    dense: units of each dense layer before the head. dropout: share dropped before the head, 0 to under 1.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128)
    dense: tuple[int, ...] = ()
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if not self.filters or min(*self.filters, *self.dense, 1) < 1:
            raise OptionError(f"filters and dense take positive whole numbers, not {self.filters} and {self.dense}")
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout must be from 0 to under 1, not {self.dropout}")

    def build(self, shape: tuple[int, int, int], classes: int) -> keras.Model:
        """A network for pictures of `shape` `[H, W, C]`. Raises OptionError when the pictures are too small for it."""
        smallest = 2 ** (len(self.filters) + 1)
        if min(shape[:2]) < smallest:
            raise OptionError(
                f"{len(self.filters)} blocks need pictures of at least {smallest} pixels, not {min(shape[:2])}"
            )
        image = keras.Input(shape, name="image")
        x = layers.Rescaling(1 / 255)(image)
        for index, filters in enumerate(self.filters):
            size, stride = (5, 2) if index == 0 else (3, 1)
            x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
            # 0.99, the default, takes hundreds of steps to forget its start; a small data set has few.
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
            x = layers.MaxPooling2D()(x)
        x = layers.GlobalAveragePooling2D()(x)
        for units in self.dense:
            x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(self.dropout)(x)
        outputs, activation = (1, "sigmoid") if head_for(classes) == "sigmoid" else (classes, "softmax")
        return keras.Model(image, layers.Dense(outputs, activation=activation, name="probabilities")(x), name="convnet")


def head_for(classes: int) -> Head:
    """One sigmoid unit for two classes, softmax for more."""
    return "sigmoid" if classes == 2 else "softmax"
