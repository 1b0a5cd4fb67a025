"""The options of `clf-export` and `clf-export check`, for the command line and the library. Imports nothing heavy."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.export.external_options import ExternalModel
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import advice
from edgeclf.runtime.terminal.flags import Text
from edgeclf.runtime.terminal.values import parse_share

OPSETS = range(13, 19)
"""From the first opset with per-channel quantisation to the last one that tf2onnx writes."""
OPSET = 17
"""Its IR version is 8, which onnxruntime reads from 1.12 on."""
MARGIN, REDUCED_MARGIN = 1e-3, 0.1
"""An image is clear if its two best classes are further apart than this, for a float32 file and for a reduced one."""
AGREEMENT = 0.97
"""The share of the clear images on which a reduced file must agree with Keras; a float32 file must agree on all of them."""

EVERY_OUTPUT = "all"
"""Stands for every further output that the network allows."""
_OUTPUTS = (EVERY_OUTPUT, "probabilities", "embedding", "heatmap")
_GATE = "Verification"


def parse_names(text: str) -> tuple[str, ...]:
    """The lower-case names in a comma-separated list.

    >>> parse_names("fp32, INT8,")
    ('fp32', 'int8')
    """
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _option(*flags: str, panel: str | None = None, **settings: Any) -> Any:
    return typer.Option(*flags, rich_help_panel=panel, **settings)


_DATA = _option(
    help="Images to calibrate and verify with, instead of those of the training run. Best with labels: a folder per class.",
    panel=_GATE,
)
_ATOL = _option(min=0, help="Largest difference of a probability in fp32.", panel=_GATE)
_MAX_DROP = _option(
    help="Share of the reference accuracy that may be lost, such as 0.01 or 1%.",
    metavar="P",
    show_default="0.01",
    panel=_GATE,
)
_AS_SHARE = Text(partial(parse_share, "--max-drop"))


@dataclass(frozen=True)
class TargetOptions:
    """Which files to make; by default ONNX in fp32 and TFLite in int8."""

    formats: Annotated[
        tuple[str, ...],
        Text(parse_names),
        _option("--format", metavar="onnx|tflite,...", help="Formats.", show_default="onnx,tflite"),
    ] = ()
    precisions: Annotated[
        tuple[str, ...],
        Text(parse_names),
        _option(
            "--quantize",
            metavar="fp32|fp16|int8|dynamic|int16x8,...",
            help="Precisions; dynamic and int16x8 are for TFLite.",
            show_default="fp32 for ONNX, int8 for TFLite",
        ),
    ] = ()
    everything: Annotated[bool, _option("--all", help="Every format in every precision. Files that fail are left out.")] = (
        False
    )
    qat: Annotated[
        bool,
        _option("--qat", help="Train INT8 files for some minutes, in integers only (quantisation-aware training)."),
    ] = False

    def __post_init__(self) -> None:
        if self.everything and (self.formats or self.precisions):
            raise OptionError("--all means every format and precision; leave out --format and --quantize, or --all")


@dataclass(frozen=True)
class GateLimits:
    """atol: the largest difference of a probability for a float32 file.
    max_drop: the share of the reference accuracy that a file may lose; 1 % as in MLPerf's closed division.
    """

    atol: Annotated[float, _ATOL] = 1e-4
    max_drop: Annotated[float, _AS_SHARE, _MAX_DROP] = 0.01

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
class ExportOptions:
    """data: labelled images to use instead of those that the model brings along."""

    data: Annotated[Path | None, _DATA] = None
    limits: GateLimits = GateLimits()
    outputs: Annotated[
        tuple[str, ...],
        Text(parse_names),
        _option(
            "--outputs",
            metavar="all|probabilities|embedding|heatmap,...",
            help="What the files of a Keras model return. probabilities is always first.",
            show_default="probabilities,embedding",
        ),
    ] = ()
    opset: Annotated[int, _option(help=f"ONNX opset, {OPSETS[0]} to {OPSETS[-1]}; older runtimes need a lower one.")] = OPSET
    external: ExternalModel = ExternalModel()  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        if self.opset not in OPSETS:
            raise OptionError(f"opset must be from {OPSETS[0]} to {OPSETS[-1]}, not {self.opset}")
        for name in self.outputs:
            if name not in _OUTPUTS:
                raise OptionError(f"there is no output {name!r}; {advice(name, _OUTPUTS)}")


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
    max_drop: Annotated[
        float, _AS_SHARE, _option(help="Share of B's accuracy that may be lost.", metavar="P", show_default="0.01")
    ] = 0.01

    @property
    def limits(self) -> GateLimits:
        """`precision` decides whether `atol` applies."""
        return GateLimits(max_drop=self.max_drop) if self.atol is None else GateLimits(self.atol, self.max_drop)

    @property
    def precision(self) -> str:
        return "reduced" if self.atol is None else "fp32"
