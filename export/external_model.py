"""Gives a card to a Keras model that has none, from what its owner says and what the network shows."""

from pathlib import Path
from typing import Any

import keras

from edgeclf.export.external_options import ExternalModel, refuse_description
from edgeclf.export.heads import OutputProbe, choose_head, detect_head
from edgeclf.export.image_input import image_shape, in_its_shape, row_remark
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.adoption.adopted_card import preprocess_of, training_facts
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling
from edgeclf.runtime.model.conventions.scales import SCALES
from edgeclf.runtime.model.labels import count_advice
from edgeclf.runtime.terminal.console import note, show_shape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.keras_file.reason import reason
from edgeclf.train.keras_file.saving import KerasModel, load_network

KERAS_DEFAULTS = Facts(
    scaling=Fact(SCALES["none"].scaling, "default"), resize=Fact("bilinear", "default"), fit=Fact("stretch", "default")
)
"""`bilinear` is the default of `keras.utils.image_dataset_from_directory`, so most models were trained with it."""


def attach_card(path: Path, external: ExternalModel) -> KerasModel:
    """Load a Keras file without a card and give it one. Raises ModelError, or OptionError if `external` does not fit it."""
    facts = external.facts().over(KERAS_DEFAULTS)
    return attach_card_to(load_external(path, external), facts, path)


def load_external(path: Path, external: ExternalModel) -> keras.Model:
    """Load a Keras file without a card. Raises ModelError, or OptionError if it has one."""
    network = load_network(path)
    refuse_description(path, external)
    if remark := row_remark(network, external.imgsz, str(path)):
        note(f"{path}: {remark}")
    return network


def count_outputs(network: keras.Model, facts: Facts, path: Path) -> int | None:
    """The number of the network's output units; None if it does not say it."""
    shape = with_scaling(network, image_shape(network, _size(facts), str(path)), facts, str(path)).output.shape
    return shape[-1] if len(shape) == 2 else None


def attach_card_to(network: keras.Model, facts: Facts, path: Path) -> KerasModel:
    """Like `attach_card`, for a network in memory. `path` names it in messages and names its exported files.

    facts: the classes, and the rest as far as KERAS_DEFAULTS has it. Raises ModelError or OptionError.
    """
    if facts.classes is None:
        raise OptionError(f"the classes of {path} are unknown; name them with --classes labels.txt")
    classes = facts.classes.value
    shape = image_shape(network, _size(facts), str(path))
    whole = with_scaling(network, shape, facts, str(path))
    _check_outputs(whole.output.shape, classes, facts.classes.origin, str(path))
    probe = OutputProbe.of(whole, shape, str(path))
    head = choose_head(probe, facts.head.value) if facts.head else detect_head(probe)
    return KerasModel(path, whole, ModelCard(classes, preprocess_of(facts, shape), head, training_facts(path, facts)))


def with_scaling(network: keras.Model, shape: tuple[int, int, int], facts: Facts, name: str) -> keras.Model:
    """The network with its scaling in front: it takes RGB images `[N, H, W, C]` of `shape`, 0 to 255.

    Raises OptionError or ModelError.
    """
    scaling = facts.scaling.value if facts.scaling else SCALES["none"].scaling
    bgr = facts.channels is not None and facts.channels.value == "bgr"
    if shape[2] == 1 and (bgr or len(scaling.mean) > 1):
        fact = facts.channels if bgr and facts.channels else facts.scaling
        origin = fact.origin if fact else ""
        raise OptionError(
            f"{origin} needs colour images, but {name} takes grey ones; use --scale 1/255, -1..1 or none alone"
        )
    image = keras.Input(shape, name="edgeclf_image")
    x = keras.ops.take(image, [2, 1, 0], axis=-1) if bgr else image
    x = x if scaling == SCALES["none"].scaling else _rescaling(scaling)(x)
    try:
        outputs = keras.tree.flatten(network(in_its_shape(x, network)))
    except Exception as error:  # layers raise many classes for a size that they cannot take
        raise ModelError(f"{name} cannot take images of {show_shape(shape)} ({reason(error)}); check --imgsz") from None
    if len(outputs) != 1:
        raise ModelError(f"{name} has {len(outputs)} outputs, but a classifier has one; export one of them alone")
    return keras.Model(image, outputs[0], name=network.name)


def _size(facts: Facts) -> tuple[int, int] | None:
    return facts.size_hw.value if facts.size_hw else None


def _rescaling(scaling: Scaling) -> keras.layers.Layer:
    scale = tuple(1 / std for std in scaling.std)
    offset = tuple(-mean / std for mean, std in zip(scaling.mean, scaling.std, strict=False))
    return keras.layers.Rescaling(scale if len(scale) > 1 else scale[0], offset if len(offset) > 1 else offset[0])


def _check_outputs(shape: tuple[Any, ...], classes: tuple[str, ...], origin: str, name: str) -> None:
    if len(shape) != 2 or shape[1] is None:
        problem = f"{name} returns {show_shape(shape)} instead of [N, classes]"
        raise ModelError(f"{problem}; add a pooling and a Dense layer, or save it with its top")
    if shape[0] is not None:
        problem = f"{name} returns {plural(shape[0], 'row')} for any number of images, because of a fixed shape inside"
        raise ModelError(f"{problem}; use keras.layers.Flatten or Reshape, which leave the batch alone, and save it again")
    units, count = shape[1], len(classes)
    if (2 if units == 1 else units) != count:
        outputs = plural(units, "output") + (", which stands for two classes" if units == 1 else "")
        problem = f"{name} has {outputs}, but {origin} names {count} ({', '.join(classes)[:80]})"
        raise OptionError(f"{problem}; {count_advice(count, units)}")
