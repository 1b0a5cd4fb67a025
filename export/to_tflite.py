"""A Keras network to TFLite, in float or with 16 bits for the activations; `int8_tflite.py` has the integers."""

import io
import zipfile
from collections.abc import Iterator
from typing import Literal

import tensorflow as tf

from edgeclf.export.frozen import INPUT, OUTPUT, freeze
from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.card import CARD_MEMBER, ModelCard
from edgeclf.runtime.model.digest import BLANK_DIGEST, DIGEST_KEY, embed_digest
from edgeclf.train.keras_file.saving import KerasModel

Precision = Literal["fp32", "fp16", "dynamic", "int16x8"]


def to_tflite(model: KerasModel, precision: Precision, calibration: Pixels | None = None) -> bytes:
    """A finished file, uint8 in and float32 out.

    fp16 stores weights in half precision; dynamic stores them in 8 bits and computes in float; int16x8 computes with weights
    of 8 bits and activations of 16, and needs `calibration`: preprocessed training images, uint8 `[N, H, W, C]`.
    Raises ModelError when a layer has no counterpart in TFLite.
    """
    converter = converter_of(model, tf.uint8)
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
            tf.lite.OpsSet.TFLITE_BUILTINS,  # the cast from uint8 has no such form
        ]
    return append_card(run(converter, model), model.card)


def run(converter: tf.lite.TFLiteConverter, model: KerasModel) -> bytes:
    """What the converter makes. Raises ModelError with its reason."""
    try:
        converted: bytes = converter.convert()
    except Exception as error:  # the converter's own errors have no common base
        raise ModelError(f"{model.path} cannot be converted to TFLite ({first_line(error)})") from None
    return converted


def converter_of(model: KerasModel, input_type: tf.DType) -> tf.lite.TFLiteConverter:
    """A converter of the frozen graph, behind a signature that names its input `image` and its output `probabilities`."""
    frozen = freeze(model, input_type)
    module = tf.Module()
    shape = (None, *model.card.preprocess.shape)
    module.serve = tf.function(
        lambda image: {OUTPUT: frozen(image)[0]},
        input_signature=[tf.TensorSpec(shape, input_type, name=INPUT)],
        autograph=False,
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)


def append_card(tflite: bytes, card: ModelCard) -> bytes:
    """The file with card and digest appended as a zip, which every TFLite reader passes over."""
    file = io.BytesIO()
    file.write(tflite)
    with zipfile.ZipFile(file, "a") as archive:  # offsets count from the start of the file, so that unzip is content
        archive.writestr(CARD_MEMBER, card.to_json())
        archive.comment = f"{DIGEST_KEY}:{BLANK_DIGEST}".encode()
    return embed_digest(file.getvalue())


def _one_by_one(images: Pixels) -> Iterator[list[Pixels]]:
    for image in images:
        yield [image[None]]
