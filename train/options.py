"""What a user asked `clf-train` for, made into a recipe, a preprocessing and a splitting; kept to resume a run."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.terminal.console import parse_duration, parse_size
from edgeclf.train.data.splitting import Splitting, parse_shares
from edgeclf.train.networks.architectures import ConvNet, FlatNet, Network
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.recipes import PRESETS, Preset, Recipe, transfer

OPTIONS_NAME = "options.json"
DEFAULT_MODEL = "efficientnet-lite0"

_PATHS = ("data", "output", "val", "test")


@dataclass(frozen=True)
class Options:
    """One field for each flag of `clf-train` that describes the training; None is what the recipe says."""

    data: Path
    output: Path | None
    model: str | None
    recipe: str | None
    weights: str | None
    imgsz: str | None
    grey: bool
    resize: str
    fit: str
    filters: str | None
    dense: str | None
    dropout: float | None
    split: str | None
    split_by: str
    val: Path | None
    test: Path | None
    limit: int | None
    allow_leakage: bool
    class_weight: str
    epochs: int | None
    batch: int | None
    optimizer: str | None
    learning_rate: float | None
    schedule: str | None
    patience: int | None
    fine_tune: int | None
    time: str | None
    mixed_precision: bool
    seed: int
    augment: bool
    rotation: float | None
    width_shift: float | None
    height_shift: float | None
    translate: float | None
    shear: float | None
    zoom: float | None
    horizontal_flip: bool | None
    vertical_flip: bool | None
    brightness: float | None
    contrast: float | None
    fill_mode: str | None
    embed_samples: bool

    def preprocess(self) -> Preprocess:
        """How images become the network's input."""
        size_hw = parse_size(self.imgsz) if self.imgsz else self._preset().size_hw
        return Preprocess(size_hw, 1 if self.grey else 3, self.resize, self.fit)  # type: ignore[arg-type]

    def splitting(self) -> Splitting:
        """Which images are trained on, stopped on and tested on."""
        shares = parse_shares(self.split) if self.split else self._preset().shares
        return Splitting(shares, self.split_by, self.val, self.test, self.limit, self.seed)

    def training(self) -> Recipe:
        """The named recipe, with whatever was asked for on top of it."""
        recipe = self._preset().recipe
        if self.class_weight not in ("auto", "none"):
            raise OptionError(f"--class-weight takes auto or none, not {self.class_weight!r}")
        asked: dict[str, Any] = {
            "epochs": self.epochs,
            "batch": self.batch,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "schedule": self.schedule,
            "patience": self.patience,
            "fine_tune": self.fine_tune,
            "time_s": parse_duration("--time", self.time) if self.time else None,
        }
        if self.fine_tune and not isinstance(recipe.network, Backbone):
            raise OptionError("--fine-tune unfreezes blocks of a pretrained network, and this recipe has none; leave it out")
        return replace(
            recipe,
            **{name: value for name, value in asked.items() if value is not None},
            network=self._network(recipe.network),
            augmentation=self._augmentation(recipe.augmentation),
            balance=self.class_weight == "auto",
            mixed_precision=self.mixed_precision,
            seed=self.seed,
        )

    def to_json(self) -> str:
        """For OPTIONS_NAME in the run folder; paths are made absolute."""
        values = {name: _as_plain(value) for name, value in asdict(self).items()}
        if self.weights and Path(self.weights).is_file():
            values["weights"] = os.path.abspath(self.weights)
        return json.dumps(values, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> "Options":
        """The options of the run in `folder`. Raises ModelError when there are none."""
        try:
            values = json.loads((folder / OPTIONS_NAME).read_text("utf-8", "surrogateescape"))
            paths = {name: Path(values[name]) for name in _PATHS if values[name] is not None}
            return cls(**(values | paths | {"output": folder}))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} holds no training to go on with ({error}); start it with clf-train DATA") from None

    def _preset(self) -> Preset:
        if self.recipe is not None:
            if self.recipe not in PRESETS:
                raise OptionError(f"there is no recipe {self.recipe!r}; choose from {', '.join(PRESETS)}")
            if self.model not in (None, "cnn"):
                raise OptionError(f"--recipe {self.recipe} has a network of its own; leave out --model {self.model}")
            return PRESETS[self.recipe]
        if self.model == "cnn":
            return PRESETS["cnn"]
        return transfer(Backbone(self.model or DEFAULT_MODEL))

    def _network(self, network: Network) -> Network:
        asked: dict[str, Any] = {"dropout": self.dropout}
        if isinstance(network, ConvNet | FlatNet):
            asked |= {name: _whole_numbers(name, getattr(self, name)) for name in ("filters", "dense")}
            wrong = ["weights"] if self.weights is not None else []
        else:
            asked |= {"weights": self.weights}
            wrong = [name for name in ("filters", "dense") if getattr(self, name) is not None]
        if wrong:
            raise OptionError(f"--{wrong[0]} does not go with this network; it is for {_OWNERS[wrong[0]]}")
        return replace(network, **{name: value for name, value in asked.items() if value is not None})  # type: ignore[type-var]

    def _augmentation(self, augmentation: Augmentation) -> Augmentation:
        start = augmentation if self.augment else Augmentation()
        asked: dict[str, Any] = {
            "rotation": self.rotation,
            "width_shift": self.translate if self.width_shift is None else self.width_shift,
            "height_shift": self.translate if self.height_shift is None else self.height_shift,
            "shear": self.shear,
            "zoom": self.zoom,
            "horizontal_flip": self.horizontal_flip,
            "vertical_flip": self.vertical_flip,
            "brightness": self.brightness,
            "contrast": self.contrast,
            "fill": self.fill_mode,
        }
        return replace(start, **{name: value for name, value in asked.items() if value is not None})


_OWNERS = {
    "weights": "pretrained networks, such as --model efficientnet-lite0",
    "filters": "--model cnn and the recipes",
    "dense": "--model cnn and the recipes",
}


def _whole_numbers(name: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise OptionError(f"--{name} takes whole numbers with commas between, not {text!r}") from None


def _as_plain(value: object) -> object:
    return str(value.absolute()) if isinstance(value, Path) else value
