"""Gives a card to a Keras model that has none, from what its owner says and what the network shows."""

from pathlib import Path
from typing import Any

import keras

from edgeclf.export.heads import OutputProbe, choose_head, detect_head
from edgeclf.export.image_input import image_shape, in_its_shape, row_remark
from edgeclf.export.options import ExternalModel
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.runtime.model.formats import model_format
from edgeclf.runtime.model.labels import count_advice
from edgeclf.runtime.terminal.console import note, show_shape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.keras_file.reason import reason
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
    if remark := row_remark(network, external.imgsz, str(path)):
        note(f"{path}: {remark}")
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
        outputs = keras.tree.flatten(network(in_its_shape(x, network)))
    except Exception as error:  # layers raise many classes for a size that they cannot take
        raise ModelError(f"{name} cannot take images of {show_shape(shape)} ({reason(error)}); check --imgsz") from None
    if len(outputs) != 1:
        raise ModelError(f"{name} has {len(outputs)} outputs, but a classifier has one; export one of them alone")
    return keras.Model(image, outputs[0], name=network.name)


def _check_outputs(shape: tuple[Any, ...], classes: tuple[str, ...], name: str) -> None:
    if len(shape) != 2 or shape[1] is None:
        problem = f"{name} returns {show_shape(shape)} instead of [N, classes]"
        raise ModelError(f"{problem}; add a pooling and a Dense layer, or save it with its top")
    if shape[0] is not None:
        problem = f"{name} returns {plural(shape[0], 'row')} for any number of images, because of a fixed shape inside"
        raise ModelError(f"{problem}; use keras.layers.Flatten or Reshape, which leave the batch alone, and save it again")
    units, count = shape[1], len(classes)
    if (2 if units == 1 else units) != count:
        outputs = plural(units, "output") + (", which stands for two classes" if units == 1 else "")
        problem = f"{name} has {outputs}, but --classes names {count} ({', '.join(classes)[:80]})"
        raise OptionError(f"{problem}; {count_advice(count, units)}")
