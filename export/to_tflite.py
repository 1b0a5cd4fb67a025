"""Converts a Keras network to TFLite, in float or with 16-bit activations. INT8 is in `int8_tflite.py`."""

import re
from collections.abc import Iterator
from typing import Literal

import tensorflow as tf
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object, convert_object_to_bytearray

from edgeclf.export.frozen import Frozen
from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import INPUT, OUTPUT
from edgeclf.runtime.model.tflite_card import append_card

_UNKNOWN_OPERATION = re.compile(r"'tf\.(\w+)' op is neither")
Precision = Literal["fp32", "fp16", "dynamic", "int16x8"]


def to_tflite(model: Frozen, precision: Precision, calibration: Pixels | None = None) -> bytes:
    """A finished file with uint8 input and float32 output.

    fp16 stores weights in half precision. dynamic stores them in 8 bits and computes in float. int16x8 computes with 8-bit
    weights and 16-bit activations, and needs `calibration`: preprocessed training images, uint8 `[N, H, W, C]`.
    Raises ModelError if a layer has no counterpart in TFLite.
    """
    converter = make_converter(model, tf.uint8)
    if precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int16x8":
        if calibration is None or not len(calibration):
            raise ValueError("int16x8 needs calibration images")
        converter.representative_dataset = lambda: _one_by_one(calibration)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,  # for the cast from uint8, which has no 16-bit form
        ]
    return append_card(run_converter(converter, model), model.card)


def run_converter(converter: tf.lite.TFLiteConverter, model: Frozen) -> bytes:
    """Run the converter, and put the outputs in the order of `function`. Raises ModelError with its message."""
    try:
        converted: bytes = converter.convert()
    except Exception as error:  # the converter's errors have no common base class
        if unknown := sorted(set(_UNKNOWN_OPERATION.findall(str(error)))):
            problem = f"{model.path} cannot be converted to TFLite, which has no counterpart of {', '.join(unknown)}"
            raise ModelError(f"{problem}; replace the layer that computes it, or export --format onnx") from None
        raise ModelError(f"{model.path} cannot be converted to TFLite ({first_line(error)})") from None
    return _in_order(converted, (OUTPUT, *model.card.outputs)) if model.card.outputs else converted


def _in_order(tflite: bytes, names: tuple[str, ...]) -> bytes:
    """The file with its outputs in the order of `names`. The converter sorts them by name."""
    model = convert_bytearray_to_object(bytearray(tflite))
    (signature,) = model.signatureDefs
    by_name = {output.name.decode(): output for output in signature.outputs}
    signature.outputs = [by_name[name] for name in names]
    model.subgraphs[0].outputs = [output.tensorIndex for output in signature.outputs]
    return bytes(convert_object_to_bytearray(model))


def make_converter(model: Frozen, input_type: tf.DType) -> tf.lite.TFLiteConverter:
    """A converter for images of one type, uint8 or float32. The signature calls the input `image`, the output
    `probabilities`, and the further outputs as the card does.
    """
    frozen = model.function if input_type == tf.uint8 else model.of_floats()
    module = tf.Module()
    shape = (None, *model.card.preprocess.shape)
    names = (OUTPUT, *model.card.outputs)
    module.serve = tf.function(
        lambda image: dict(zip(names, frozen(image), strict=True)),
        input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)],
        autograph=False,
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)


def _one_by_one(images: Pixels) -> Iterator[list[Pixels]]:
    for image in images:
        yield [image[None]]
