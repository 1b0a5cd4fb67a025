"""Rounding shifts what the last layer of an INT8 file answers; its bias is corrected on calibration images."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process
from tensorflow.lite.python.convert import mlir_quantize

from edgeclf.export.bias_correction import MOST_IMAGES, OnnxBias, TfliteBias, spread
from edgeclf.export.frozen import Frozen, freeze
from edgeclf.export.int8_tflite import Calibrated
from edgeclf.export.to_onnx import convert
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.train.keras_file.saving import KerasModel

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
HEADS = [3, 1]


def frozen(units: int, bias: float) -> Frozen:
    """The same network each time, but for the bias of its last unit."""
    keras.utils.set_random_seed(0)
    image = x = keras.Input((16, 16, 3))
    head = layers.Dense(units, "softmax" if units > 1 else "sigmoid")
    for layer in (layers.Rescaling(1 / 255), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), head):
        x = layer(x)
    head.set_weights([head.get_weights()[0], np.eye(units, dtype=np.float32)[-1] * bias])
    card = ModelCard(tuple("abc"[: max(units, 2)]), Preprocess((16, 16)), "softmax" if units > 1 else "sigmoid")
    return freeze(KerasModel(Path("mine.keras"), keras.Model(image, x), card))


def without_dense_layer() -> Frozen:
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(image))
    card = ModelCard(("a", "b", "c"), Preprocess((16, 16)), "softmax")
    return freeze(KerasModel(Path("mine.keras"), keras.Model(image, layers.Softmax()(x)), card))


def fused(model: Frozen, folder: Path) -> onnx.ModelProto:
    """As it is before it is quantised."""
    onnx.save(convert(model), folder / "converted.onnx")
    quant_pre_process(folder / "converted.onnx", folder / "fused.onnx", skip_symbolic_shape=True)
    return onnx.load(folder / "fused.onnx")


def answers(tflite: bytes) -> NDArray[np.float32]:
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    found = []
    for image in IMAGES:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None].astype(np.float32))
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.stack(found)


@pytest.mark.parametrize("units", HEADS)
def test_a_shifted_onnx_file_answers_again_as_the_float_network(units: int, tmp_path: Path) -> None:
    right, shifted = (fused(frozen(units, bias), tmp_path) for bias in (0.2, 0.9))
    OnnxBias(right, IMAGES).correct(shifted)
    biases = [next(node.input[2] for node in one.graph.node if node.op_type == "Gemm") for one in (shifted, right)]
    found, expected = (
        numpy_helper.to_array(next(tensor for tensor in one.graph.initializer if tensor.name == name))
        for one, name in zip((shifted, right), biases, strict=True)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("units", HEADS)
def test_a_shifted_int8_tflite_file_answers_again_as_the_float_network(units: int) -> None:
    right, shifted = (Calibrated(frozen(units, bias), IMAGES).min_max for bias in (0.2, 0.9))
    integers = bytes(mlir_quantize(shifted))
    corrected = TfliteBias(right, IMAGES).corrected(integers)
    assert np.abs(answers(integers) - answers(right)).max() > 0.1
    assert np.abs(answers(corrected) - answers(right)).max() < 0.03


def test_a_network_without_a_dense_layer_stays_as_it_is() -> None:
    model = without_dense_layer()
    proto, tflite = convert(model), Calibrated(model, IMAGES).min_max
    before = proto.SerializeToString()
    OnnxBias(proto, IMAGES).correct(proto)
    assert proto.SerializeToString() == before
    assert TfliteBias(tflite, IMAGES).corrected(tflite) == tflite


def test_few_images_are_measured() -> None:
    assert len(spread(IMAGES)) == MOST_IMAGES
    assert spread(IMAGES[:3]).tobytes() == IMAGES[:3].tobytes()
