"""The kinds of files that are made of a Keras model, and how each is made. Converters are imported when they are used."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgeclf.export.calibration import ExportImages
from edgeclf.export.int8 import Quantizer
from edgeclf.export.options import OPSET, TargetOptions
from edgeclf.export.target import Target, choose
from edgeclf.runtime.errors import OptionError

if TYPE_CHECKING:
    import onnx

    from edgeclf.export.frozen import Frozen
    from edgeclf.export.qat.trained import TrainedNetwork
    from edgeclf.export.to_tflite import Precision
    from edgeclf.runtime.images.decode import Pixels
    from edgeclf.train.keras_file.saving import KerasModel


@dataclass(frozen=True)
class ExportContext:
    """A model under export, with what its files share. folder: for temporary files.

    frozen: the graph that every file is made of. training: images for the targets that train, uint8 `[N, H, W, C]`.
    """

    model: "KerasModel"
    frozen: "Frozen"
    images: ExportImages
    folder: Path
    opset: int = OPSET
    training: "Pixels | None" = None

    @cached_property
    def trained(self) -> "TrainedNetwork":
        """The model, trained for INT8."""
        from edgeclf.export.qat.trained import TrainedNetwork

        if self.training is None:
            raise ValueError("quantisation-aware training needs training images")
        return TrainedNetwork(self.model, self.frozen, self.images.calibration.images, self.training)

    @cached_property
    def onnx(self) -> "onnx.ModelProto":
        """The model in float32. Copy it before you change it."""
        from edgeclf.export.to_onnx import convert

        return convert(self.frozen, self.opset)


def _tflite(precision: "Precision") -> Callable[[ExportContext], bytes]:
    def convert(context: ExportContext) -> bytes:
        from edgeclf.export.to_tflite import to_tflite

        return to_tflite(context.frozen, precision, context.images.calibration.images)

    return convert


def _onnx(context: ExportContext) -> bytes:
    from edgeclf.export.onnx_file import pack

    return pack(context.onnx, context.frozen.card)


def _half_onnx(context: ExportContext) -> bytes:
    from edgeclf.export.onnx_file import half_precision, pack

    return pack(half_precision(deepcopy(context.onnx)), context.frozen.card)


def _int8_onnx(context: ExportContext) -> Quantizer:
    from edgeclf.export.int8_onnx import OnnxQuantizer

    return OnnxQuantizer(context.onnx, context.frozen.card, context.images.calibration.images, context.folder)


def _int8_tflite(context: ExportContext) -> Quantizer:
    from edgeclf.export.int8_tflite import TfliteQuantizer

    return TfliteQuantizer(context.frozen, context.images.calibration.images)


_IN_INTEGERS = "to keep every layer in integers instead, train it for that with --qat"
TARGETS = (
    Target("onnx", "fp32", ".onnx", _onnx),
    Target("onnx", "fp16", ".fp16.onnx", _half_onnx),
    Target("onnx", "int8", ".int8.onnx", _int8_onnx, alternative=_IN_INTEGERS),
    Target("tflite", "fp32", ".fp32.tflite", _tflite("fp32")),
    Target("tflite", "fp16", ".fp16.tflite", _tflite("fp16")),
    Target("tflite", "dynamic", ".dynamic.tflite", _tflite("dynamic")),
    Target("tflite", "int8", ".int8.tflite", _int8_tflite, alternative=_IN_INTEGERS),
    Target("tflite", "int16x8", ".int16x8.tflite", _tflite("int16x8")),
)
_TRAINED: dict[str, Callable[[ExportContext], bytes]] = {
    "onnx": lambda context: context.trained.onnx(context.opset),
    "tflite": lambda context: context.trained.tflite(),
}
DEFAULTS = (("onnx", "fp32"), ("tflite", "int8"))


def choose_targets(
    options: TargetOptions = TargetOptions(),  # noqa: B008 (frozen)
    *,
    is_external: bool = False,
) -> tuple[Target, ...]:
    """The files that the options ask for; DEFAULTS if they ask for none. Raises OptionError for what does not exist.

    is_external: the model was not trained here. Then INT8 is optional by default: not every network allows it.
    """
    chosen = choose(TARGETS, DEFAULTS, options)
    if options.qat:
        chosen = _trained(chosen)
    if is_external and not (options.formats or options.precisions):
        return tuple(replace(target, optional=target.optional or target.calibrates) for target in chosen)
    return chosen


def _trained(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets, with those in INT8 trained for it. Raises OptionError if there are none."""
    if all(target.precision != "int8" for target in targets):
        raise OptionError("--qat trains INT8 files, and none was requested; add int8 to --quantize, or leave out --qat")
    return tuple(
        replace(one, convert=_TRAINED[one.format], trains=True) if one.precision == "int8" else one for one in targets
    )
