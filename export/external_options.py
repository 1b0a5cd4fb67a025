"""What the owner of a model from elsewhere says about it, as flags and as facts. Imports nothing heavy."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.geometry import Resize
from edgeclf.runtime.model.labels import read_classes
from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.completion import offer
from edgeclf.runtime.terminal.console import parse_size
from edgeclf.runtime.terminal.flags import Text, flags_given

if TYPE_CHECKING:
    from edgeclf.runtime.model.conventions.facts import Fact, Facts, Scaling

SCALE_NAMES = ("1/255", "-1..1", "none", "imagenet", "caffe")
TOOLS = (
    *("timm", "torchvision", "huggingface", "ultralytics", "teachable-machine", "lobe", "custom-vision", "openvino"),
    *("edge-impulse", "frigate", "luxonis", "coral", "keras"),
)
HEADS = ("auto", "softmax", "sigmoid", "logits")
_flag = partial(typer.Option, rich_help_panel="For models without a card")
_LARGEST_SHARE = 2.0
"""Means and deviations of pixels of 0 to 1 are below; those of 0 to 255 are above."""


def parse_numbers(text: str) -> tuple[float, ...]:
    """The numbers in a comma-separated list. Raises OptionError.

    >>> parse_numbers("0.485, 0.456,0.406")
    (0.485, 0.456, 0.406)
    """
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise OptionError(f"{text!r} is not a list of numbers such as 0.485,0.456,0.406") from None


@dataclass(frozen=True)
class ExternalModel:
    """What the owner of a model without a card says about it. The files of the tool that made it say the rest.

    classes: labels in the order of the outputs. For a single output unit, it stands for the second class.
    tool: the tool that made the model, for what its files do not say, such as `torchvision`.
    scale: how pixels of 0 to 255 are scaled before the network. `none` if it scales them itself. `imagenet` subtracts the
        mean and divides by the deviation of ImageNet, `caffe` takes blue first and subtracts the mean.
    mean, std: instead of `scale`, `(pixel - mean) / std`, for pixels of 0 to 1, or of 0 to 255 if a number is above 2.
    channels: the order in which the network takes red, green and blue. resize, fit, crop_pct: see `Preprocess`.
    head: the output of the network; `auto` detects it. imgsz: height and width, for a network that takes any size.
    """

    classes: Annotated[
        tuple[str, ...],
        Text(lambda text: read_classes(Path(text))),
        _flag(metavar="FILE", help="The model's classes: lines, a table or JSON.", show_default=False),
    ] = ()
    tool: Annotated[
        str | None,
        _flag("--from", metavar="TOOL", help=f"The tool that made it: {', '.join(TOOLS)}.", autocompletion=offer(TOOLS)),
    ] = None
    scale: Annotated[
        str | None,
        _flag(metavar="|".join(SCALE_NAMES), help="How it expects pixels of 0 to 255."),
    ] = None
    mean: Annotated[
        tuple[float, ...],
        Text(parse_numbers),
        _flag(metavar="N,N,N", help="It expects (pixel - mean) / std, with pixels of 0 to 1."),
    ] = ()
    std: Annotated[tuple[float, ...], Text(parse_numbers), _flag(metavar="N,N,N", help="See --mean.")] = ()
    channels: Annotated[
        str | None,
        _flag(metavar="rgb|bgr", help="Its order of the colours; OpenCV reads bgr."),
    ] = None
    resize: Annotated[
        str | None,
        _flag(
            metavar="shrink|bilinear|nearest|area|...",
            help="How its images were resized, such as pillow-bicubic.",
            autocompletion=offer(get_args(Resize)),
        ),
    ] = None
    fit: Annotated[str | None, _flag(metavar="stretch|crop|pad", help="How they were fitted.")] = None
    crop_pct: Annotated[
        float | None,
        _flag(metavar="SHARE", help="The share of the resized image that is cut out, such as 0.875."),
    ] = None
    head: Annotated[str, _flag(metavar="|".join(HEADS), help="Its output.")] = "auto"
    imgsz: Annotated[
        tuple[int, int] | None,
        Text(parse_size),
        _flag(metavar="N|WIDTHxHEIGHT", help="Its image size, if it takes any size."),
    ] = None

    def __post_init__(self) -> None:
        if self.scale and (self.mean or self.std):
            raise OptionError("--scale and --mean with --std say the same; leave out one of them")
        if bool(self.mean) != bool(self.std):
            raise OptionError("--mean and --std belong together; give both")
        if self.scale == "caffe" and self.channels == "rgb":
            raise OptionError("--scale caffe takes bgr; leave out --channels")
        require_choice("--from", self.tool, TOOLS, is_optional=True)
        require_choice("--scale", self.scale, SCALE_NAMES, is_optional=True)
        require_choice("--channels", self.channels, ("rgb", "bgr"), is_optional=True)
        require_choice("--head", self.head, HEADS)
        if any(not math.isfinite(number) for number in (*self.mean, *self.std)) or min(self.std, default=1) <= 0:
            raise OptionError("--mean must be numbers, and --std numbers above 0, such as 0.485,0.456,0.406")
        if {len(self.mean), len(self.std)} - {0, 1, 3}:
            raise OptionError("--mean and --std take one number, or one per channel")
        self._check_card()

    def facts(self) -> "Facts":
        """What is said, with the flag as the origin of each fact."""
        from edgeclf.runtime.model.conventions.facts import Fact, Facts
        from edgeclf.runtime.model.conventions.scales import SCALES

        scale = SCALES[self.scale] if self.scale else None  # type: ignore[index]
        channels = self.channels or (scale and scale.channels)
        return Facts(
            classes=Fact(self.classes, "--classes") if self.classes else None,
            scaling=Fact(scale.scaling, "--scale") if scale else self._mean_and_std(),
            channels=Fact(channels, "--channels" if self.channels else "--scale") if channels else None,  # type: ignore[arg-type]
            size_hw=Fact(self.imgsz, "--imgsz") if self.imgsz else None,
            resize=Fact(self.resize, "--resize") if self.resize else None,  # type: ignore[arg-type]
            fit=Fact(self.fit, "--fit") if self.fit else None,  # type: ignore[arg-type]
            crop_pct=Fact(self.crop_pct, "--crop-pct") if self.crop_pct is not None else None,
            head=Fact(self.head, "--head") if self.head != "auto" else None,  # type: ignore[arg-type]
        )

    def _mean_and_std(self) -> "Fact[Scaling] | None":
        from edgeclf.runtime.model.conventions.facts import Fact, Scaling

        if not self.mean:
            return None
        levels = 1.0 if max(*self.mean, *self.std) > _LARGEST_SHARE else 255.0
        mean, std = (tuple(number * levels for number in side) for side in (self.mean, self.std))
        return Fact(Scaling(mean, std), "--mean and --std")

    def _check_card(self) -> None:
        """Let the card and the preprocessing refuse what they do not know."""
        if not (self.classes or self.imgsz or self.resize or self.fit or self.crop_pct is not None):
            return
        from edgeclf.runtime.images.preprocess import Preprocess
        from edgeclf.runtime.model.card import ModelCard

        given = {"resize": self.resize, "fit": self.fit, "crop_pct": self.crop_pct}
        settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        ModelCard(self.classes or ("one", "two"), Preprocess(self.imgsz or (1, 1), 3, **settings))


def refuse_description(path: Path, external: ExternalModel) -> None:
    """Raise OptionError if the file carries a card and is described as well."""
    from edgeclf.runtime.model.card import has_keras_card

    described = ", ".join(flag for _, flag in flags_given(external))
    if described and has_keras_card(path):
        raise OptionError(f"{path} carries a model card, which says all of that; leave out {described}")
