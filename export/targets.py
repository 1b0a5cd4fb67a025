"""What can be made of a trained model, and how."""

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
from edgeclf.export.to_onnx import OPSET, convert, halved, pack
from edgeclf.export.to_tflite import Precision, to_tflite
from edgeclf.runtime.errors import OptionError
from edgeclf.train.keras_file.saving import KerasModel


@dataclass(frozen=True)
class ExportContext:
    """A model under export; what several artefacts are made from is made once. folder: for files on the way."""

    model: KerasModel
    evidence: ExportImages
    folder: Path
    opset: int = OPSET

    @cached_property
    def onnx(self) -> onnx.ModelProto:
        """In float32; whoever changes it takes a copy."""
        return convert(self.model, self.opset)


@dataclass(frozen=True)
class Target:
    """A kind of artefact: its format, precision, and the end of its file name.

    convert: gives the finished file; for INT8 the quantizer that can make it in several ways.
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
    return lambda work: to_tflite(work.model, precision, work.evidence.calibration.images)


TARGETS = (
    Target("onnx", "fp32", ".onnx", lambda work: pack(work.onnx, work.model.card)),
    Target("onnx", "fp16", ".fp16.onnx", lambda work: pack(halved(copy.deepcopy(work.onnx)), work.model.card)),
    Target(
        "onnx",
        "int8",
        ".int8.onnx",
        lambda work: OnnxQuantizer(work.onnx, work.model.card, work.evidence.calibration.images, work.folder),
    ),
    Target("tflite", "fp32", ".fp32.tflite", _tflite("fp32")),
    Target("tflite", "fp16", ".fp16.tflite", _tflite("fp16")),
    Target("tflite", "dynamic", ".dynamic.tflite", _tflite("dynamic")),
    Target("tflite", "int8", ".int8.tflite", lambda work: TfliteQuantizer(work.model, work.evidence.calibration.images)),
    Target("tflite", "int16x8", ".int16x8.tflite", _tflite("int16x8")),
)
DEFAULTS = (("onnx", "fp32"), ("tflite", "int8"))


def choose_targets(formats: tuple[str, ...], precisions: tuple[str, ...]) -> tuple[Target, ...]:
    """Every known combination of what is asked for; nothing asked for means DEFAULTS. Raises OptionError."""
    for asked, known in ((formats, {t.format for t in TARGETS}), (precisions, {t.precision for t in TARGETS})):
        for name in asked:
            if name not in known:
                raise OptionError(f"there is no {name!r} to export; choose from {', '.join(sorted(known))}")
    chosen = tuple(
        target
        for target in TARGETS
        if target.format in (formats or (target.format,))
        and (target.precision in precisions if precisions else (target.format, target.precision) in DEFAULTS)
    )
    for asked, made in ((precisions, {t.precision for t in chosen}), (formats, {t.format for t in chosen})):
        for name in asked:
            if name not in made:
                raise OptionError(f"nothing asked for comes in {name}: {'; '.join(map(_offer, ('onnx', 'tflite')))}")
    return chosen


def _offer(name: str) -> str:
    return f"{name} is made in {', '.join(target.precision for target in TARGETS if target.format == name)}"
