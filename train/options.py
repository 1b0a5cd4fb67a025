"""The flags of `clf-train`, declared once. They are kept in the run folder, so that an interrupted run can be resumed."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.geometry import Resize
from edgeclf.runtime.terminal.completion import offer
from edgeclf.train.data.reading import AS_USUAL, DATA, Reading
from edgeclf.train.data.run_files import OPTIONS_NAME
from edgeclf.train.networks.names import NETWORKS, RECIPES
from edgeclf.train.teaching_options import NO_TEACHER, TeachingOptions

NETWORK, TRAINING, AUGMENTATION, OUTPUT = "Network", "Training", "Augmentation", "Output"
"""Headings in `clf-train --help`."""

MADE_WITH = "made_with"
"""The entry of `options.json` that is no option: command and versions."""
_PATHS = ("data", "val", "test", "teacher", "unlabelled", "corrections")

_data = partial(typer.Option, rich_help_panel=DATA)
_network = partial(typer.Option, rich_help_panel=NETWORK)
_training = partial(typer.Option, rich_help_panel=TRAINING)
_augmentation = partial(typer.Option, rich_help_panel=AUGMENTATION)
_output = partial(typer.Option, rich_help_panel=OUTPUT)


@dataclass(frozen=True)
class SplitOptions:
    """Which images are for training, for validation and for testing."""

    split: Annotated[
        str | None,
        _data(
            help="Shares of the training, validation and test split, for images that are not split yet.",
            metavar="TRAIN,VAL,TEST",
            show_default="0.8,0.1,0.1",
        ),
    ] = None
    split_by: Annotated[
        str,
        _data(
            help="Keep images in one split that share a folder, or what the expression finds in their paths.",
            metavar="folder|REGEX",
            show_default="none",
        ),
    ] = ""
    val: Annotated[
        Path | None, _data(help="Validation set, used for early stopping.", show_default="a share of the images")
    ] = None
    test: Annotated[Path | None, _data(help="Test set.", show_default="a share of the images")] = None
    folds: Annotated[
        int | None,
        _data(min=2, help="Cross-validate with N folds, then train on all images.", metavar="N", show_default="none"),
    ] = None
    corrections: Annotated[
        Path | None,
        _data(help="Labels that people corrected, from clf-review.", metavar="FILE.csv", show_default="none"),
    ] = None
    limit: Annotated[int | None, _data(min=1, help="Use at most N images, for a quick trial.", metavar="N")] = None
    drop_leaks: Annotated[
        bool, _data("--drop-leaks", help="Leave out training images that are copies of validation or test images.")
    ] = False
    allow_leakage: Annotated[bool, _data("--allow-leakage", help="Leave out test images that are in another split.")] = False


@dataclass(frozen=True)
class NetworkOptions:
    """What is trained, and how an image becomes its input. None means: as the recipe says."""

    model: Annotated[
        str | None,
        _network(
            "--model",
            "-m",
            help="efficientnet-lite0, -lite1, -lite2, cnn (small, from scratch), or one of keras.applications.",
            metavar="NETWORK",
            autocompletion=offer(NETWORKS),
            show_default="efficientnet-lite0",
        ),
    ] = None
    recipe: Annotated[
        str | None,
        _network(help="The network and the training of a tutorial.", metavar="|".join(RECIPES), show_default="none"),
    ] = None
    weights: Annotated[
        str | None, _network(help="Weights of a pretrained network.", metavar="imagenet|none|FILE", show_default="imagenet")
    ] = None
    imgsz: Annotated[
        str | None, _network(help="Input size of the network.", metavar="N|WIDTHxHEIGHT", show_default="the network's own")
    ] = None
    grey: Annotated[bool, _network("--grey", help="Grey images, with one channel.")] = False
    resize: Annotated[
        str,
        _network(
            help="How to resize images (bilinear: as Keras does); also opencv-bilinear, opencv-bicubic, and "
            "pillow-bilinear, -bicubic, -lanczos and -box.",
            metavar="shrink|bilinear|nearest|area|...",
            autocompletion=offer(get_args(Resize)),
        ),
    ] = "shrink"
    fit: Annotated[str, _network(help="How to fit other aspect ratios.", metavar="stretch|crop|pad")] = "stretch"
    ground: Annotated[
        str, _network(help="What is behind transparent pixels; none: their hidden colours.", metavar="white|black|none")
    ] = "white"
    filters: Annotated[
        str | None, _network(help="With --model cnn: channels of each block, such as 16,32,64,128.", metavar="N,...")
    ] = None
    dense: Annotated[
        str | None, _network(help="With --model cnn: units of the dense layers, such as 64,32.", metavar="N,...")
    ] = None
    dropout: Annotated[float | None, _network(help="Dropout rate before the last layer.")] = None


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained. None means: as the recipe says."""

    class_weight: Annotated[
        str, _training(help="auto: rare classes count as much as frequent ones.", metavar="auto|none")
    ] = "none"
    epochs: Annotated[
        int | None, _training("--epochs", "-e", help="Maximum number of epochs.", show_default="4 of fine-tuning")
    ] = None
    batch: Annotated[int | None, _training("--batch", "-b", help="Images per step.", show_default="32")] = None
    optimizer: Annotated[
        str | None, _training(help="How the weights are updated.", metavar="adam|rmsprop|sgd", show_default="adam")
    ] = None
    learning_rate: Annotated[
        float | None, _training("--learning-rate", "--lr", "--lr0", help="Initial learning rate.", show_default="0.0002")
    ] = None
    schedule: Annotated[
        str | None,
        _training(
            help="Schedule of the learning rate; cosine goes down to 0.", metavar="cosine|constant", show_default="cosine"
        ),
    ] = None
    patience: Annotated[
        int | None,
        _training(
            help="Stop after N epochs without a lower validation loss; 0 turns early stopping off.",
            metavar="N",
            show_default="4",
        ),
    ] = None
    fine_tune: Annotated[
        int | None,
        _training(
            help="After the head, fine-tune the last N blocks of a pretrained network; 0 trains only the head.",
            metavar="N",
            show_default="3",
        ),
    ] = None
    time: Annotated[
        str | None,
        _training(
            help="Time for the whole command, such as 20 (minutes), 90s or 1h30m; at least one epoch is trained.",
            metavar="TIME",
        ),
    ] = None
    mixed_precision: Annotated[bool, _training("--mixed-precision", "--amp", help="Train in half precision, on a GPU.")] = (
        False
    )
    seed: Annotated[
        int, _training(help="The same seed gives the same split and, on the CPU, the same weights.", metavar="N")
    ] = 0


@dataclass(frozen=True)
class AugmentationOptions:
    """Random changes to training images. None means: as the recipe says."""

    augment: Annotated[
        bool,
        _augmentation("--augment/--no-augment", help="Use the recipe's own augmentation; the options below override it."),
    ] = True
    rotation: Annotated[float | None, _augmentation("--rotation", "--degrees", help="Rotation in degrees, either way.")] = (
        None
    )
    width_shift: Annotated[float | None, _augmentation(help="Horizontal shift, as a share of the width.")] = None
    height_shift: Annotated[float | None, _augmentation(help="Vertical shift, as a share of the height.")] = None
    translate: Annotated[float | None, _augmentation(help="Both shifts at once.")] = None
    shear: Annotated[float | None, _augmentation(help="Shear, as a share of the side.")] = None
    zoom: Annotated[float | None, _augmentation("--zoom", "--scale", help="Zoom in or out, as a share.")] = None
    horizontal_flip: Annotated[
        bool | None,
        _augmentation("--horizontal-flip/--no-horizontal-flip", "--fliplr/--no-fliplr", help="Flip images left to right."),
    ] = None
    vertical_flip: Annotated[
        bool | None,
        _augmentation("--vertical-flip/--no-vertical-flip", "--flipud/--no-flipud", help="Flip images upside down."),
    ] = None
    brightness: Annotated[float | None, _augmentation(help="Change of brightness, as a share of the range, either way.")] = (
        None
    )
    contrast: Annotated[float | None, _augmentation(help="Change of contrast, as a share, either way.")] = None
    fill_mode: Annotated[
        str | None,
        _augmentation(
            help="How to fill pixels beyond the edge; constant is black.",
            metavar="reflect|constant|wrap|nearest",
            show_default="reflect",
        ),
    ] = None


@dataclass(frozen=True)
class TrainOptions:
    """All that describes a training run, as it was typed. `data` is None only if a run is resumed."""

    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with one sub-folder per class, or with train/, val/ and test/ above them; or a .zip, .tar or .csv "
            "file.",
            metavar="DATA",
            show_default=False,
        ),
    ] = None
    splits: SplitOptions = SplitOptions()
    reading: Reading = AS_USUAL
    network: NetworkOptions = NetworkOptions()
    training: TrainingOptions = TrainingOptions()
    teaching: TeachingOptions = NO_TEACHER
    augmentation: AugmentationOptions = AugmentationOptions()
    output: Annotated[
        Path | None,
        _output(
            "--output",
            "-o",
            help="Run folder.",
            metavar="DIR",
            show_default="runs/NAME, or the first free of runs/NAME-2, ...",
        ),
    ] = None
    name: Annotated[
        str | None,
        _output(help="Name of the run, for the folder runs/NAME.", metavar="NAME", show_default="the name of the data"),
    ] = None
    embed_samples: Annotated[
        bool,
        _output("--embed-samples/--no-embed-samples", help="Store sample images inside the model, for clf-export."),
    ] = True

    def to_json(self, made_with: Mapping[str, str] | None = None) -> str:
        """The content of `options.json` in the run folder: one value per flag, with absolute paths.

        made_with: command and versions, for people.
        """
        values = {name: str(value.absolute()) if isinstance(value, Path) else value for name, value in flag_values(self)}
        weights = self.network.weights
        if weights and Path(weights).is_file():
            values["weights"] = os.path.abspath(weights)
        return json.dumps(values | ({MADE_WITH: made_with} if made_with else {}), indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> "TrainOptions":
        """The options of the run in `folder`, which becomes their output. Raises ModelError if the folder has none."""
        try:
            values = json.loads((folder / OPTIONS_NAME).read_text("utf-8", "surrogateescape"))
            values.pop(MADE_WITH, None)
            paths = {name: Path(values[name]) for name in _PATHS if values[name] is not None}
            options: TrainOptions = _build(cls, values | paths | {"output": folder})
            if unknown := set(values) - {name for name, _ in flag_values(options)}:
                raise ValueError(f"unknown option {min(unknown)!r}")
            return options
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} holds no training to resume ({error}); start one with clf-train DATA") from None


def flag_values(options: Any) -> list[tuple[str, Any]]:
    """Names and values of all flags, those of nested groups included."""
    found = []
    for field in fields(options):
        value = getattr(options, field.name)
        found += flag_values(value) if is_dataclass(value) else [(field.name, value)]
    return found


def _build(group: type, values: dict[str, Any]) -> Any:
    """The dataclass made from values of its flags. Raises KeyError for a missing one."""
    types = {field.name: field.type for field in fields(group)}
    return group(
        **{
            name: _build(kind, values) if isinstance(kind, type) and is_dataclass(kind) else values[name]
            for name, kind in types.items()
        }
    )
