"""The kinds of files that are made of an ONNX or TFLite model from another tool."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeclf.export.calibration import ExportImages
from edgeclf.export.int8 import Quantizer
from edgeclf.export.options import TargetOptions
from edgeclf.export.target import Target, choose
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.adoption.adopted import Adopted


@dataclass(frozen=True)
class AdoptedContext:
    """An adopted model under export. folder: for temporary files."""

    adopted: Adopted
    images: ExportImages
    folder: Path


def _half_onnx(context: AdoptedContext) -> bytes:
    import onnx

    from edgeclf.export.onnx_file import half_precision, pack

    return pack(half_precision(onnx.load_from_string(context.adopted.data)), context.adopted.card)


def _int8_onnx(context: AdoptedContext) -> Quantizer:
    import onnx

    from edgeclf.export.int8_onnx import OnnxQuantizer

    proto = onnx.load_from_string(context.adopted.data)
    return OnnxQuantizer(proto, context.adopted.card, context.images.calibration.images, context.folder)


def _as_adopted(context: AdoptedContext) -> bytes:
    return context.adopted.data


_TARGETS: dict[str, dict[str, tuple[str, Callable[[AdoptedContext], bytes | Quantizer]]]] = {
    "onnx": {"fp32": (".onnx", _as_adopted), "fp16": (".fp16.onnx", _half_onnx), "int8": (".int8.onnx", _int8_onnx)},
    "tflite": {"fp32": (".tflite", _as_adopted)},
}


def choose_adopted(format_name: str, precision: str, options: TargetOptions) -> tuple[Target, ...]:
    """The files that the options ask for; the adopted file alone if they ask for none.

    format_name: `onnx` or `tflite`. precision: of the file itself, such as `fp32`. Raises OptionError for others than can
    be made: no format is converted to another one.
    """
    if options.qat:
        raise OptionError("--qat trains Keras models, and this one is ONNX or TFLite; leave it out, or name the Keras model")
    made = _TARGETS[format_name]
    targets = [Target(format_name, name, suffix, convert) for name, (suffix, convert) in made.items()]
    if precision != "fp32":  # it is reduced already
        targets = [Target(format_name, precision, made["fp32"][0], _as_adopted)]
    other = set(options.formats) - {format_name}
    if other:
        raise OptionError(f"an adopted model stays {format_name}; leave out --format {', '.join(sorted(other))}")
    return choose(targets, [(format_name, precision)], options)
