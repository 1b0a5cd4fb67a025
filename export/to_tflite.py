"""A frozen Keras network to TFLite, in float, half float or integers."""

import io
import zipfile
from collections.abc import Iterator
from typing import Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.frozen import INPUT, OUTPUT, freeze
from edgeclf.runtime.frames.decode import Pixels
from edgeclf.runtime.model.card import CARD_MEMBER
from edgeclf.train.results.saving import KerasModel

Precision = Literal["fp32", "fp16", "dynamic", "int8"]


def to_tflite(model: KerasModel, precision: Precision, calibration: Pixels | None = None) -> bytes:
    """The bytes of a TFLite file with the card appended as a zip, which every TFLite reader passes over.

    fp16 stores weights in half precision; dynamic stores them in 8 bits and computes in float; int8 computes in integers
    throughout, uint8 in and out, and needs `calibration`: preprocessed training pictures, uint8 `[N, H, W, C]`.
    """
    whole_numbers = precision == "int8"
    module = _as_module(model, tf.float32 if whole_numbers else tf.uint8)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    if precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if whole_numbers:
        if calibration is None or not len(calibration):
            raise ValueError("int8 needs calibration pictures")
        converter.representative_dataset = lambda: _representative(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
    converted: bytes = converter.convert()
    return _append_card(converted, model)


def _as_module(model: KerasModel, input_type: tf.DType) -> tf.Module:
    """The frozen graph behind a signature, so that the file names its input `image` and its output `probabilities`."""
    frozen = freeze(model, input_type)
    module = tf.Module()
    shape = (None, *model.card.preprocess.shape)
    module.serve = tf.function(
        lambda image: {OUTPUT: frozen(image)[0]},
        input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)],
        autograph=False,
    )
    return module


def _representative(images: Pixels) -> Iterator[list[NDArray[np.float32]]]:
    """Calibration pictures one by one.

    Two pixels of each are set to 0 and 255. The converter takes the input's scale from the values it sees; now it is
    exactly 1, and raw bytes may be fed to the model whatever pictures were there to calibrate with.
    """
    for image in images:
        picture = image[None].astype(np.float32)
        picture[0, 0, 0], picture[0, -1, -1] = 0, 255
        yield [picture]


def _append_card(tflite: bytes, model: KerasModel) -> bytes:
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:  # offsets count from the start of the file, so that unzip is content
        archive.writestr(CARD_MEMBER, model.card.to_json())
    return file.getvalue()
