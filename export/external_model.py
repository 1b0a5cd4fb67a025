"""Gives a card to a Keras model that has none, from what its owner says and what the network shows."""

from pathlib import Path
from typing import Any

import keras

from edgeclf.export.heads import OutputProbe, choose_head, detect_head
from edgeclf.export.options import ExternalModel
from edgeclf.runtime.errors import ModelError, OptionError, first_line
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.model.labels import count_advice
from edgeclf.runtime.terminal.console import show_shape, show_size
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.keras_file.saving import KerasModel, load_network
from edgeclf.train.networks.backbones import FAMILIES, Family

SCALES: dict[str, Family] = {
    "1/255": Family(1 / 255),
    "-1..1": FAMILIES["MobileNet*"],
    "none": Family(),
    "imagenet": FAMILIES["DenseNet*"],
    "caffe": FAMILIES["ResNet*"],
}
"""How pixel values 0 to 255 are scaled for a network, as in the `preprocess_input` functions of keras.applications."""


def attach_card(path: Path, external: ExternalModel) -> KerasModel:
    """Load a Keras file without a card and give it one. Raises ModelError, or OptionError if `external` does not fit it."""
    return attach_card_to(load_external(path, external), external, path)


def load_external(path: Path, external: ExternalModel) -> keras.Model:
    """Load a Keras file without a card. Raises ModelError, or OptionError if it has one."""
    network = load_network(path, external.allow_h5)
    if model_format(path) == "Keras" and read_zip_card(path) is not None:
        raise OptionError(f"{path} carries a model card with its classes; leave out --classes")
    return network


def attach_card_to(network: keras.Model, external: ExternalModel, path: Path) -> KerasModel:
    """Like `attach_card`, for a network in memory. `path` names it in messages and names its exported files."""
    shape = image_shape(network, external.imgsz, str(path))
    whole = with_scaling(network, shape, external, str(path))
    _check_outputs(whole.output.shape, external.classes, str(path))
    probe = OutputProbe.of(whole, shape, str(path))
    head = detect_head(probe) if external.head == "auto" else choose_head(probe, external.head)  # type: ignore[arg-type]
    # ground "none": nearly every other training drops alpha, as Keras and Pillow do
    preprocess = Preprocess(shape[:2], shape[2], external.resize, external.fit, "none")  # type: ignore[arg-type]
    facts = {"from": path.name, "scale": external.scale, "channels": "BGR" if external.bgr else "RGB"}
    return KerasModel(path, whole, ModelCard(external.classes, preprocess, head, facts))


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
    if len(shape) != 4 or shape[3] not in (1, 3):
        problem = f"{name} takes {show_shape(shape)} instead of images [N, H, W, C] with 1 or 3 channels last"
        raise ModelError(f"{problem}; put a Reshape or Permute layer in front and save it again")
    if imgsz is None and None in shape[1:3]:
        raise OptionError(f"{name} takes images of any size; give the size that it was trained on with --imgsz")
    size = imgsz or (int(shape[1]), int(shape[2]))
    if any(fixed not in (None, side) for fixed, side in zip(shape[1:3], size, strict=True)):
        raise OptionError(
            f"--imgsz {show_size(size)} does not fit {name}, which takes {show_shape(shape[1:3])}; leave it out"
        )
    return (*size, int(shape[3]))


def with_scaling(network: keras.Model, shape: tuple[int, int, int], external: ExternalModel, name: str) -> keras.Model:
    """The network with its scaling in front: it takes RGB images `[N, H, W, C]` of `shape`, 0 to 255.

    Raises OptionError or ModelError.
    """
    family = SCALES[external.scale]
    bgr = external.bgr or family.bgr
    if shape[2] == 1 and (bgr or isinstance(family.offset, tuple)):
        flag = "--bgr" if external.bgr else f"--scale {external.scale}"
        raise OptionError(f"{flag} needs colour images, but {name} takes grey ones; use --scale 1/255, -1..1 or none alone")
    image = keras.Input(shape, name="edgeclf_image")
    x = family.scaled(image)
    x = keras.ops.take(x, [2, 1, 0], axis=-1) if bgr else x
    try:
        outputs = keras.tree.flatten(network(x))
    except Exception as error:  # layers raise many classes for a size that they cannot take
        raise ModelError(f"{name} cannot take images of {show_shape(shape)} ({first_line(error)}); check --imgsz") from None
    if len(outputs) != 1:
        raise ModelError(f"{name} has {len(outputs)} outputs, but a classifier has one; export one of them alone")
    return keras.Model(image, outputs[0], name=network.name)


def _check_outputs(shape: tuple[Any, ...], classes: tuple[str, ...], name: str) -> None:
    if len(shape) != 2 or shape[1] is None:
        problem = f"{name} returns {show_shape(shape)} instead of [N, classes]"
        raise ModelError(f"{problem}; add a pooling and a Dense layer, or save it with its top")
    units, count = shape[1], len(classes)
    if (2 if units == 1 else units) != count:
        outputs = plural(units, "output") + (", which stands for two classes" if units == 1 else "")
        problem = f"{name} has {outputs}, but --classes names {count} ({', '.join(classes)[:80]})"
        raise OptionError(f"{problem}; {count_advice(count, units)}")
