"""The kinds of files that an export can make, and how each is made."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from edgeclf.export.calibration import ExportImages
from edgeclf.export.int8 import Quantizer
from edgeclf.export.int8_onnx import OnnxQuantizer
from edgeclf.export.int8_tflite import TfliteQuantizer
from edgeclf.export.options import OPSET, TargetOptions
from edgeclf.export.to_onnx import convert, half_precision, pack
from edgeclf.export.to_tflite import Precision, to_tflite
from edgeclf.runtime.errors import OptionError
from edgeclf.train.keras_file.saving import KerasModel


@dataclass(frozen=True)
class ExportContext:
    """A model under export, with what its files share. folder: for temporary files."""

    model: KerasModel
    images: ExportImages
    folder: Path
    opset: int = OPSET

    @cached_property
    def onnx(self) -> onnx.ModelProto:
        """The model in float32. Copy it before you change it."""
        return convert(self.model, self.opset)


@dataclass(frozen=True)
class Target:
    """One kind of file: its format, its precision, and the end of its name.

    convert: returns the finished file, or for INT8 the quantizer that can make it in several ways.
    """

    format: str
    precision: str
    suffix: str
    convert: Callable[[ExportContext], bytes | Quantizer]

    @property
    def calibrates(self) -> bool:
        """Whether it needs images to find the ranges of activations."""
        return self.precision in ("int8", "int16x8")


def _tflite(precision: Precision) -> Callable[[ExportContext], bytes]:
    return lambda context: to_tflite(context.model, precision, context.images.calibration.images)


def _half_onnx(context: ExportContext) -> bytes:
    return pack(half_precision(copy.deepcopy(context.onnx)), context.model.card)


def _int8_onnx(context: ExportContext) -> Quantizer:
    return OnnxQuantizer(context.onnx, context.model.card, context.images.calibration.images, context.folder)


def _int8_tflite(context: ExportContext) -> Quantizer:
    return TfliteQuantizer(context.model, context.images.calibration.images)


TARGETS = (
    Target("onnx", "fp32", ".onnx", lambda context: pack(context.onnx, context.model.card)),
    Target("onnx", "fp16", ".fp16.onnx", _half_onnx),
    Target("onnx", "int8", ".int8.onnx", _int8_onnx),
    Target("tflite", "fp32", ".fp32.tflite", _tflite("fp32")),
    Target("tflite", "fp16", ".fp16.tflite", _tflite("fp16")),
    Target("tflite", "dynamic", ".dynamic.tflite", _tflite("dynamic")),
    Target("tflite", "int8", ".int8.tflite", _int8_tflite),
    Target("tflite", "int16x8", ".int16x8.tflite", _tflite("int16x8")),
)
DEFAULTS = (("onnx", "fp32"), ("tflite", "int8"))


def choose_targets(options: TargetOptions = TargetOptions()) -> tuple[Target, ...]:  # noqa: B008 (frozen)
    """The existing combinations of the formats and precisions in the options; DEFAULTS if there are none.

    Raises OptionError for a name that does not exist, and for one that no combination has.
    """
    if options.everything:
        return TARGETS
    _check_names(options.formats, {target.format for target in TARGETS})
    _check_names(options.precisions, {target.precision for target in TARGETS})
    chosen = tuple(target for target in TARGETS if _is_chosen(target, options))
    _check_made(options.precisions, {target.precision for target in chosen})
    _check_made(options.formats, {target.format for target in chosen})
    return chosen


def _is_chosen(target: Target, options: TargetOptions) -> bool:
    if options.formats and target.format not in options.formats:
        return False
    return target.precision in options.precisions if options.precisions else (target.format, target.precision) in DEFAULTS


def _check_names(names: tuple[str, ...], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise OptionError(f"cannot export {name!r}; choose from {', '.join(sorted(known))}")


def _check_made(names: tuple[str, ...], made: set[str]) -> None:
    for name in names:
        if name not in made:
            raise OptionError(f"none of the requested files can be {name}: {_offer('onnx')}; {_offer('tflite')}")


def _offer(name: str) -> str:
    return f"{name} comes in {', '.join(target.precision for target in TARGETS if target.format == name)}"
