"""The image that a network from elsewhere takes: its height, width and channels, also where the network takes them in a row.

The networks of beginners' tutorials take grey images without a channel, `[N, 28, 28]`, or their pixels, `[N, 784]`.
"""

import math
from typing import Any

import keras

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.terminal.console import show_shape, show_size
from edgeclf.train.keras_file.reason import CHANNELS_LAST_CURE

_SMALLEST_SIDE = 8
"""Of an image. Below, a row of numbers is rather some measurements, and a short axis rather some channels."""


def image_shape(network: keras.Model, imgsz: tuple[int, int] | None, name: str) -> tuple[int, int, int]:
    """`(H, W, C)` of the network's input image. imgsz: height and width for a network that takes any size.

    Raises ModelError if the input is not one image, and OptionError if `imgsz` is missing or does not fit.
    """
    inputs = getattr(network, "inputs", None)
    if not inputs:  # a custom class that has not seen an image yet
        if imgsz is None:
            raise OptionError(f"{name} does not define its image size; give it with --imgsz")
        return (*imgsz, 3)
    if len(inputs) != 1:
        raise ModelError(f"{name} takes {len(inputs)} inputs, but edgeclf supports one image; train a model with one input")
    shape = tuple(inputs[0].shape)
    if len(shape) == 2 and shape[1] is not None and shape[1] >= _SMALLEST_SIDE**2:
        return _shape_of_row(shape[1], imgsz, name)
    if len(shape) == 3 and all(side is None or side >= _SMALLEST_SIDE for side in shape[1:]):
        shape = (*shape, 1)
    if len(shape) != 4 or shape[3] not in (1, 3):
        problem = f"{name} takes {show_shape(shape)} instead of images [N, H, W, C] with 1 or 3 channels last"
        raise ModelError(f"{problem}; {_cure(network)}")
    return _with_size(shape, imgsz, name)


def in_its_shape(image: Any, network: keras.Model) -> Any:
    """A tensor of images `[N, H, W, C]` as the network takes it, with the same numbers in the same order."""
    shape = tuple(network.inputs[0].shape) if getattr(network, "inputs", None) else image.shape
    if len(shape) == len(image.shape):
        return image
    return keras.layers.Reshape(tuple(image.shape[1:3]) if len(shape) == 3 else (-1,), name="edgeclf_reshape")(image)


def row_remark(network: keras.Model, imgsz: tuple[int, int] | None, name: str) -> str | None:
    """What was assumed about a network that takes pixels in a row; None if nothing was."""
    inputs = getattr(network, "inputs", None)
    if imgsz is not None or not inputs or len(inputs) != 1 or len(inputs[0].shape) != 2:
        return None
    height, width, channels = image_shape(network, None, name)
    kind = "grey" if channels == 1 else "colour"
    return f"its {inputs[0].shape[1]:,} numbers are taken for {kind} images of {width}x{height}; otherwise give --imgsz"


def _cure(network: keras.Model) -> str:
    if any(getattr(layer, "data_format", None) == "channels_first" for layer in network._flatten_layers()):
        return CHANNELS_LAST_CURE
    return "put a Reshape or Permute layer in front and save it again"


def _shape_of_row(numbers: int, imgsz: tuple[int, int] | None, name: str) -> tuple[int, int, int]:
    """A square image, unless `imgsz` says its size. No number of pixels is both that of a grey and of a colour square."""
    for channels in (1, 3):
        side = math.isqrt(numbers // channels)
        height, width = imgsz or (side, side)
        if height * width * channels == numbers:
            return height, width, channels
    problem = f"{name} takes {numbers:,} numbers in a row"
    if imgsz is None:
        raise OptionError(f"{problem}, not the pixels of a square image; give the image's size with --imgsz WIDTHxHEIGHT")
    raise OptionError(f"{problem}, but an image of --imgsz {show_size(imgsz)} has 1 or 3 times {math.prod(imgsz):,}")


def _with_size(shape: tuple[Any, ...], imgsz: tuple[int, int] | None, name: str) -> tuple[int, int, int]:
    if imgsz is None and None in shape[1:3]:
        raise OptionError(f"{name} takes images of any size; give the size that it was trained on with --imgsz")
    size = imgsz or (int(shape[1]), int(shape[2]))
    if any(fixed not in (None, side) for fixed, side in zip(shape[1:3], size, strict=True)):
        raise OptionError(
            f"--imgsz {show_size(size)} does not fit {name}, which takes {show_shape(shape[1:3])}; leave it out"
        )
    return (*size, int(shape[3]))
