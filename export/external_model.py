"""A Keras model without a card: what its file cannot say comes from its owner, the rest from the network itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import keras

from edgeclf.export.heads import OutputProbe, choose_head, detect_head
from edgeclf.runtime.errors import ModelError, OptionError, first_line
from edgeclf.runtime.images.preprocess import Fit, Preprocess, Resize
from edgeclf.runtime.model.card import Head, ModelCard, read_zip_card
from edgeclf.runtime.terminal.console import show_size
from edgeclf.train.keras_file.saving import KerasModel, load_network
from edgeclf.train.networks.backbones import FAMILIES, Family

Scale = Literal["1/255", "-1..1", "none", "imagenet", "caffe"]
SCALES: dict[str, Family] = {
    "1/255": Family(1 / 255),
    "-1..1": FAMILIES["MobileNet*"],
    "none": Family(),
    "imagenet": FAMILIES["DenseNet*"],
    "caffe": FAMILIES["ResNet*"],
}
"""How levels 0 to 255 become what a network was trained on, as in the `preprocess_input` of keras.applications."""


@dataclass(frozen=True)
class ExternalModel:
    """What a model's owner knows of it.

    classes: labels in the order of the outputs; for one output unit, the second is the one that it speaks of.
    resize: `bilinear` is what `keras.utils.image_dataset_from_directory` does, so most such models learned on it;
        `nearest` is `keras.utils.load_img`. fit: `stretch`, as they both do, `crop` or `pad`.
    scale: what was done to the levels before the network; `none` where it has a Rescaling layer, or takes them as they are.
        `imagenet` subtracts the mean and divides by the deviation of ImageNet, `caffe` takes blue first and subtracts.
    head: what the network ends in; `auto` looks. imgsz: height and width, for a network that takes any.
    allow_h5: whether the file may be of the older format.
    """

    classes: tuple[str, ...]
    resize: Resize = "bilinear"
    fit: Fit = "stretch"
    scale: Scale = "none"
    head: Head | Literal["auto"] = "auto"
    imgsz: tuple[int, int] | None = None
    allow_h5: bool = False

    def __post_init__(self) -> None:
        ModelCard(self.classes, Preprocess(self.imgsz or (1, 1), 3, self.resize, self.fit))  # they check themselves
        for name, allowed in (("scale", get_args(Scale)), ("head", ("auto", *get_args(Head)))):
            if getattr(self, name) not in allowed:
                raise OptionError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")


def attach_card(path: Path, external: ExternalModel) -> KerasModel:
    """Load a Keras file that has no card and give it one. Raises ModelError, or OptionError where they contradict."""
    network = load_network(path, external.allow_h5)
    if path.suffix == ".keras" and read_zip_card(path) is not None:
        raise OptionError(f"{path} carries a model card, which says all that --classes would; leave that out")
    return attach_card_to(network, external, path)


def attach_card_to(network: keras.Model, external: ExternalModel, path: Path) -> KerasModel:
    """Like `attach_card`, for a network in memory. `path` names it in messages and names its artefacts."""
    shape = image_shape(network, external.imgsz, str(path))
    whole = from_levels(network, shape, external.scale, str(path))
    _check_outputs(whole.output.shape, external.classes, str(path))
    ending = OutputProbe.of(whole, shape, str(path))
    head = detect_head(ending) if external.head == "auto" else choose_head(ending, external.head)
    preprocess = Preprocess(shape[:2], shape[2], external.resize, external.fit)  # type: ignore[arg-type]
    return KerasModel(
        path, whole, ModelCard(external.classes, preprocess, head, {"from": path.name, "scale": external.scale})
    )


def image_shape(network: keras.Model, imgsz: tuple[int, int] | None, name: str) -> tuple[int, int, int]:
    """`(H, W, C)` of the one image that the network takes; `imgsz` where it takes any size. Raises ModelError."""
    inputs = getattr(network, "inputs", None)
    if not inputs:  # a class of its own that has seen no image yet
        if imgsz is None:
            raise OptionError(f"{name} does not say which size of image it takes; give it with --imgsz WIDTHxHEIGHT")
        return (*imgsz, 3)
    if len(inputs) != 1:
        raise ModelError(f"{name} takes {len(inputs)} inputs, and edgeclf gives a classifier one image; train one like that")
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        fact = f"{name} takes {_written(shape)}, and not images [N, H, W, C] with 1 or 3 channels, the channels last"
        raise ModelError(f"{fact}; put a Reshape or Permute layer in front and save again")
    if imgsz is None and None in shape[1:3]:
        raise OptionError(f"{name} takes images of any size; give the one that it was trained on with --imgsz WIDTHxHEIGHT")
    size = imgsz or (int(shape[1]), int(shape[2]))
    if any(fixed not in (None, side) for fixed, side in zip(shape[1:3], size, strict=True)):
        fact = f"--imgsz says {show_size(size)}, and {name} takes images of {_written(shape[1:3])}"
        raise OptionError(f"{fact}; leave --imgsz out")
    return (*size, int(shape[3]))


def from_levels(network: keras.Model, shape: tuple[int, int, int], scale: Scale, name: str) -> keras.Model:
    """The network as one that takes levels 0 to 255, `[N, H, W, C]` of `shape`, RGB. Raises ModelError."""
    family = SCALES[scale]
    if shape[2] == 1 and isinstance(family.offset, tuple):
        raise OptionError(f"--scale {scale} is for colours, and {name} takes grey images; choose 1/255, -1..1 or none")
    image = keras.Input(shape, name="edgeclf_image")
    x = family.scaled(image)
    x = keras.ops.take(x, [2, 1, 0], axis=-1) if family.bgr else x
    try:
        outputs = keras.tree.flatten(network(x))
    except Exception as error:  # whatever a layer raises for a size that it cannot take
        raise ModelError(f"{name} cannot take images of {_written(shape)} ({first_line(error)}); check --imgsz") from None
    if len(outputs) != 1:
        raise ModelError(f"{name} gives {len(outputs)} outputs, and a classifier gives one; export one of them alone")
    return keras.Model(image, outputs[0], name=network.name)


def _check_outputs(shape: tuple[Any, ...], classes: tuple[str, ...], name: str) -> None:
    if len(shape) != 2 or shape[1] is None:
        fact = f"{name} gives {_written(shape)} and not [N, classes]"
        raise ModelError(f"{fact}; add a pooling and a Dense layer, or save it with its top")
    units, count = shape[1], len(classes)
    if (2 if units == 1 else units) != count:
        of_one = ", which stands for two classes" if units == 1 else ""
        fact = (
            f"{name} has {units} output{'s'[: units > 1]}{of_one}, and {count} classes are named ({', '.join(classes)[:80]})"
        )
        raise OptionError(f"{fact}; name one class an output, in their order")


def _written(shape: tuple[Any, ...]) -> str:
    return f"[{', '.join('any' if side is None else str(side) for side in shape)}]"
