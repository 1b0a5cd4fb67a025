"""The options of `clf-export` and `clf-export check`, for the command line and the library. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.labels import read_classes
from edgeclf.runtime.terminal.console import parse_size
from edgeclf.runtime.terminal.flags import Text, flags_given

OPSETS = range(13, 19)
"""From the first opset with per-channel quantisation to the last one that tf2onnx writes."""
OPSET = 17
"""Its IR version is 8, which onnxruntime reads from 1.12 on."""
MARGIN, REDUCED_MARGIN = 1e-3, 0.1
"""An image is clear if its two best classes are further apart than this, for a float32 file and for a reduced one."""
AGREEMENT = 0.97
"""The share of the clear images on which a reduced file must agree with Keras; a float32 file must agree on all of them."""

Scale = Literal["1/255", "-1..1", "none", "imagenet", "caffe"]
_GATE = "Verification"
_EXTERNAL = "For models without a card"


def parse_names(text: str) -> tuple[str, ...]:
    """The lower-case names in a comma-separated list.

    >>> parse_names("fp32, INT8,")
    ('fp32', 'int8')
    """
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _option(*flags: str, panel: str | None = None, **settings: Any) -> Any:
    return typer.Option(*flags, rich_help_panel=panel, **settings)


_DATA = _option(help="Labelled images to calibrate and verify with, instead of those of the training run.", panel=_GATE)
_ATOL = _option(min=0, help="Largest difference of a probability in fp32.", panel=_GATE)
_MAX_DROP = _option(min=0, max=1, help="Share of the Keras accuracy that may be lost.", panel=_GATE)


@dataclass(frozen=True)
class TargetOptions:
    """Which files to make; by default ONNX in fp32 and TFLite in int8."""

    formats: Annotated[
        tuple[str, ...],
        Text(parse_names),
        _option("--format", metavar="FORMAT,...", help="onnx, tflite or both.", show_default="onnx,tflite"),
    ] = ()
    precisions: Annotated[
        tuple[str, ...],
        Text(parse_names),
        _option(
            "--quantize",
            metavar="PRECISION,...",
            help="fp32, fp16, int8; for TFLite also dynamic, int16x8.",
            show_default="fp32 for ONNX, int8 for TFLite",
        ),
    ] = ()
    everything: Annotated[bool, _option("--all", help="Every format in every precision. Files that fail are left out.")] = (
        False
    )

    def __post_init__(self) -> None:
        if self.everything and (self.formats or self.precisions):
            raise OptionError("--all means every format and precision; leave out --format and --quantize, or --all")


@dataclass(frozen=True)
class GateLimits:
    """atol: the largest difference of a probability for a float32 file.
    max_drop: the share of the Keras accuracy that a file may lose; 1 % as in MLPerf's closed division.
    """

    atol: Annotated[float, _ATOL] = 1e-4
    max_drop: Annotated[float, _MAX_DROP] = 0.01

    def to_json(self) -> dict[str, float]:
        """All limits of the gate, for the parity report."""
        return {
            "atol": self.atol,
            "margin": MARGIN,
            "max_drop": self.max_drop,
            "reduced_margin": REDUCED_MARGIN,
            "agreement": AGREEMENT,
        }


@dataclass(frozen=True)
class ExternalModel:
    """What the owner of a Keras model without a card knows about it. Without `classes`, the model has a card.

    classes: labels in the order of the outputs. For a single output unit, it stands for the second class.
    scale: what was done to the pixels before the network. `none` if it has a Rescaling layer or takes 0 to 255. `imagenet`
        subtracts the mean and divides by the deviation of ImageNet, `caffe` takes BGR and subtracts the mean.
    resize: `bilinear` is the default of `keras.utils.image_dataset_from_directory`, so most models were trained with it;
        `nearest` is the default of `keras.utils.load_img`. fit: both of them stretch.
    bgr: the network takes the channels in the order blue, green, red; `caffe` does anyway.
    head: the output of the network; `auto` detects it. imgsz: height and width, for a network that takes any size.
    allow_h5: accept the older .h5 format.
    """

    classes: Annotated[
        tuple[str, ...],
        Text(lambda text: read_classes(Path(text))),
        _option(metavar="FILE", help="The model's classes: lines, a table or JSON.", show_default=False, panel=_EXTERNAL),
    ] = ()
    scale: Annotated[
        str, _option(help="How it expects pixels 0..255: 1/255, -1..1, none, imagenet or caffe.", panel=_EXTERNAL)
    ] = "none"
    bgr: Annotated[bool, _option("--bgr", help="It expects blue first, as OpenCV reads images.", panel=_EXTERNAL)] = False
    resize: Annotated[
        str, _option(help="How its images were resized: bilinear, nearest, area or shrink.", panel=_EXTERNAL)
    ] = "bilinear"
    fit: Annotated[str, _option(help="How they were fitted: stretch, crop or pad.", panel=_EXTERNAL)] = "stretch"
    head: Annotated[str, _option(help="Its output: auto, softmax, sigmoid or logits.", panel=_EXTERNAL)] = "auto"
    imgsz: Annotated[
        tuple[int, int] | None,
        Text(parse_size),
        _option(metavar="SIZE", help="Its image size, N or WIDTHxHEIGHT, if it takes any size.", panel=_EXTERNAL),
    ] = None
    allow_h5: Annotated[bool, _option("--allow-h5", help="Accept a file in the older .h5 format.", panel=_EXTERNAL)] = False

    def __post_init__(self) -> None:
        if not self.classes:
            if given := [flag for _, flag in flags_given(self)]:
                raise OptionError(f"{', '.join(given)}: only for a model without a card; name its classes with --classes")
            return
        from edgeclf.runtime.images.preprocess import Preprocess
        from edgeclf.runtime.model.card import Head, ModelCard

        ModelCard(self.classes, Preprocess(self.imgsz or (1, 1), 3, self.resize, self.fit))  # type: ignore[arg-type]
        if self.bgr and self.scale == "caffe":
            raise OptionError("--scale caffe is BGR already; leave out --bgr")
        for name, allowed in (("scale", get_args(Scale)), ("head", ("auto", *get_args(Head)))):
            if getattr(self, name) not in allowed:
                raise OptionError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class ExportOptions:
    """data: labelled images to use instead of those that the model brings along."""

    data: Annotated[Path | None, _DATA] = None
    limits: GateLimits = GateLimits()
    opset: Annotated[int, _option(help=f"ONNX opset, {OPSETS[0]} to {OPSETS[-1]}; older runtimes need a lower one.")] = OPSET
    external: ExternalModel = ExternalModel()

    def __post_init__(self) -> None:
        if self.opset not in OPSETS:
            raise OptionError(f"opset must be from {OPSETS[0]} to {OPSETS[-1]}, not {self.opset}")


@dataclass(frozen=True)
class CheckOptions:
    """against: the reference model. data: images to compare on; by default the samples inside `against`.
    atol: the largest difference of a probability; None for any. max_drop: as in GateLimits.
    """

    against: Annotated[Path, _option(help="The reference model, B. A .keras file needs TensorFlow.")]
    data: Annotated[
        Path | None,
        _option(help="Labelled images, or a .keras file with samples inside.", show_default="the samples inside B"),
    ] = None
    atol: Annotated[
        float | None, _option(min=0, help="Largest difference of a probability; for fp32 files.", show_default="any")
    ] = None
    max_drop: Annotated[float, _option(min=0, max=1, help="Share of B's accuracy that may be lost.")] = 0.01

    @property
    def limits(self) -> GateLimits:
        """`precision` decides whether `atol` applies."""
        return GateLimits(max_drop=self.max_drop) if self.atol is None else GateLimits(self.atol, self.max_drop)

    @property
    def precision(self) -> str:
        return "reduced" if self.atol is None else "fp32"
