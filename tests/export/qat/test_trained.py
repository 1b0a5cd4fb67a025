"""Quantisation-aware training: the files hold integers only, with the trained scales, and answer as the float network."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tensorflow.lite.python.schema_py_generated import TensorType
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object, opcode_to_name

from edgeclf.export.external_model import attach_card_to
from edgeclf.export.external_options import ExternalModel
from edgeclf.export.frozen import freeze
from edgeclf.export.int8_tflite import Calibrated
from edgeclf.export.options import OPSET, TargetOptions
from edgeclf.export.qat.graph import FloatGraph
from edgeclf.export.qat.network import QuantizedNetwork
from edgeclf.export.qat.trained import TrainedNetwork
from edgeclf.export.qat.training import Lessons, train
from edgeclf.export.run import export
from edgeclf.export.targets import choose_targets
from edgeclf.runtime.errors import DatasetError, ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.keras_file.samples import read_samples
from edgeclf.train.keras_file.saving import KerasModel, open_keras
from tests.export.conftest import Invoke
from tests.support.trained_run import KEPT_RUN

INTEGERS = {TensorType.INT8, TensorType.UINT8, TensorType.INT32, TensorType.INT64, TensorType.BOOL}
RESHAPING = ("Reshape", "Squeeze", "Transpose")
LAYERS = ("Conv", "Gemm", "MatMul")


@pytest.fixture(scope="module")
def model() -> KerasModel:
    return open_keras(KEPT_RUN / "model.keras")


@pytest.fixture(scope="module")
def images(model: KerasModel) -> Pixels:
    return read_samples(model.path, "calibration", model.card.preprocess).images


@pytest.fixture(scope="module")
def trained(model: KerasModel, images: Pixels) -> TrainedNetwork:
    return TrainedNetwork(model, freeze(model), images[:8], images)


@pytest.fixture(scope="module")
def files(trained: TrainedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "model.int8.tflite").write_bytes(trained.tflite())
    (folder / "model.int8.onnx").write_bytes(trained.onnx(OPSET))
    return folder


def operations_in_float(tflite: Path) -> list[str]:
    """Those with a tensor that is no integer."""
    graph = convert_bytearray_to_object(bytearray(tflite.read_bytes()))
    tensors = graph.subgraphs[0].tensors
    return [
        opcode_to_name(graph, one.opcodeIndex)
        for one in graph.subgraphs[0].operators
        if {tensors[index].type for index in (*one.inputs, *one.outputs) if index >= 0} - INTEGERS
    ]


def layers_in_float(graph: onnx.GraphProto) -> list[str]:
    """Layers with weights that do not take integers, or whose output is not rounded to integers."""
    makers = {output: node for node in graph.node for output in node.output}
    takers = {name: node for node in graph.node for name in node.input}

    def begins_in(name: str) -> str:
        maker = makers[name]
        return begins_in(maker.input[0]) if maker.op_type in RESHAPING else str(maker.op_type)

    def ends_in(name: str) -> str:
        taker = takers[name]
        return ends_in(taker.output[0]) if taker.op_type in ("Relu", "Clip", *RESHAPING) else str(taker.op_type)

    return [
        node.name
        for node in graph.node
        if node.op_type in LAYERS
        and ({*map(begins_in, node.input), ends_in(node.output[0])} != {"DequantizeLinear", "QuantizeLinear"})
    ]


def test_every_tensor_of_every_tflite_operation_is_an_integer(files: Path) -> None:
    assert operations_in_float(files / "model.int8.tflite") == []


@pytest.mark.parametrize("name", ["model.fp32.tflite", "model.dynamic.tflite"])
def test_a_float_layer_would_be_found_in_tflite(name: str) -> None:
    assert "CONV_2D" in operations_in_float(KEPT_RUN / name)


def test_every_onnx_layer_takes_integers_and_is_rounded_to_integers(files: Path) -> None:
    graph = onnx.load(files / "model.int8.onnx").graph
    assert sum(node.op_type in LAYERS for node in graph.node) == sum(
        node.op_type in LAYERS for node in onnx.load(KEPT_RUN / "model.onnx").graph.node
    )
    assert layers_in_float(graph) == []


def test_a_float_layer_would_be_found_in_onnx(files: Path) -> None:
    graph = onnx.load(files / "model.int8.onnx").graph
    rounded = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    layer = next(node for node in graph.node if node.op_type == "Conv" and node.input[0] in rounded)
    rounding = next(node for node in graph.node if node.output[0] == rounded[layer.input[0]].input[0])
    layer.input[0] = rounding.input[0]
    assert layers_in_float(graph) == [layer.name]


def scales_of_tflite(path: Path) -> Iterator[float]:
    graph = convert_bytearray_to_object(bytearray(path.read_bytes()))
    for tensor in graph.subgraphs[0].tensors:
        if tensor.type == TensorType.INT8 and tensor.quantization.scale is not None:
            yield from map(float, tensor.quantization.scale)


def scales_of_onnx(path: Path) -> Iterator[float]:
    graph = onnx.load(path).graph
    constants: dict[str, Any] = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            yield float(constants[node.input[1]])


def test_both_files_have_the_trained_scales(trained: TrainedNetwork, files: Path) -> None:
    ranges = trained.network.trained_ranges().values()
    wanted = sorted({(high - low) / 255 for low, high in ranges})
    in_tflite = np.array(sorted(scales_of_tflite(files / "model.int8.tflite")))
    in_onnx = np.array(sorted(scales_of_onnx(files / "model.int8.onnx")))
    for scale in wanted:
        assert np.isclose(in_tflite, scale, rtol=1e-4).any(), scale
        assert np.isclose(in_onnx, scale, rtol=1e-4).any(), scale


def test_kernels_in_both_files_are_the_trained_ones(trained: TrainedNetwork, files: Path) -> None:
    kernels = [kernel.numpy() for kernel in trained.network.kernels.values() if kernel.shape.rank > 1]
    first = kernels[0]
    wanted = np.abs(first).max(axis=tuple(range(first.ndim - 1))) / 127
    in_tflite = np.array(list(scales_of_tflite(files / "model.int8.tflite")))
    graph = onnx.load(files / "model.int8.onnx").graph
    in_onnx = np.concatenate(
        [numpy_helper.to_array(one).ravel() for one in graph.initializer if one.name.endswith("/scale")]
    )
    for scale in wanted:
        assert np.isclose(in_tflite, scale, rtol=1e-4).any()
        assert np.isclose(in_onnx, scale, rtol=1e-4).any()


@pytest.mark.parametrize("name", ["model.int8.tflite", "model.int8.onnx"])
def test_a_file_answers_as_the_training_saw_it(trained: TrainedNetwork, files: Path, images: Pixels, name: str) -> None:
    seen = trained.network(images).numpy()
    answered = Classifier.open(files / name).probabilities(images)
    assert np.abs(answered - seen).max() < 0.03
    assert (answered.argmax(axis=1) == seen.argmax(axis=1)).mean() > 0.97


def test_training_brings_a_network_nearer_to_the_float_one(
    trained: TrainedNetwork, model: KerasModel, images: Pixels
) -> None:
    network = disturbed(trained)
    lessons = Lessons(images, model.probabilities(images))
    before = difference(network, lessons)
    train(network, lessons, learning_rate=1e-3)  # there are few steps
    assert difference(network, lessons) < 0.95 * before


def test_one_seed_gives_one_result(trained: TrainedNetwork, model: KerasModel, images: Pixels) -> None:
    results = []
    for _ in range(2):
        network = disturbed(trained)
        train(network, Lessons(images, model.probabilities(images)), learning_rate=1e-3)
        results.append([numbers.tobytes() for numbers in network.state()])
    assert results[0] == results[1]
    assert results[0] != [numbers.tobytes() for numbers in disturbed(trained).state()]


def disturbed(trained: TrainedNetwork) -> QuantizedNetwork:
    """The network as it was converted, with noise on its kernels and biases."""
    network = QuantizedNetwork(trained.network.graph, KEPT_RUN)
    rng = np.random.default_rng(0)
    for variable in network.kernels.values():
        variable.assign(variable + rng.normal(0, 0.05, variable.shape).astype(np.float32))
    return network


def difference(network: QuantizedNetwork, lessons: Lessons) -> float:
    return float(np.abs(network(lessons.images).numpy() - lessons.answers).mean())


def test_training_never_makes_a_network_worse(trained: TrainedNetwork, model: KerasModel, images: Pixels) -> None:
    network = QuantizedNetwork(trained.network.graph, KEPT_RUN)
    held_out = Lessons(images[::10], model.probabilities(images[::10]))
    before = network.state()
    opposite = Lessons(images, np.roll(model.probabilities(images), 1, axis=1))
    opposite.answers[::10] = held_out.answers
    train(network, opposite, learning_rate=1e-3)
    assert all(np.array_equal(one, after) for one, after in zip(before, network.state(), strict=True))


def test_a_network_of_one_unit_keeps_its_embedding(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    network = keras.Model(image, keras.layers.Dense(1, "sigmoid")(x))
    model = attach_card_to(network, ExternalModel(("a", "b")).facts(), tmp_path / "model.keras")
    noise = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
    frozen = freeze(model, ("probabilities", "embedding"))
    graph = FloatGraph(Calibrated(frozen, noise).min_max)
    complete = frozen.with_function(QuantizedNetwork(graph, model.path).frozen())
    assert [tuple(output.shape) for output in complete.function.outputs] == [(None, 2), (None, 4)]


def test_an_operation_that_is_not_known_is_named(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3))
    scores = keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3, activation="elu")(image)))
    network = keras.Model(image, keras.layers.Softmax()(scores))
    model = attach_card_to(network, ExternalModel(("a", "b")).facts(), tmp_path / "model.keras")
    noise = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
    with pytest.raises(ModelError, match="ELU"):
        TrainedNetwork(model, freeze(model), noise, noise)


@pytest.mark.slow
def test_the_files_pass_the_gate_and_have_the_usual_names(run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / "model.keras", tmp_path)
    shutil.copy(run_folder / "split.csv", tmp_path)
    targets = choose_targets(TargetOptions(precisions=("int8",), qat=True))
    result = export(tmp_path / "model.keras", tmp_path, targets)
    assert {path.name for path in result.published} == {"model.int8.onnx", "model.int8.tflite"}
    assert {parity.made_by for parity in result.parities} == {"quantisation-aware training"}
    assert operations_in_float(tmp_path / "model.int8.tflite") == []


def test_without_training_images_it_says_how_to_name_them(trained_alone: Path, clf_export: Invoke) -> None:
    result = clf_export(trained_alone, "--qat")
    assert result.exit_code == 2
    assert "--data" in result.stderr


@pytest.fixture
def trained_alone(tmp_path: Path) -> Path:
    return Path(shutil.copy(KEPT_RUN / "model.keras", tmp_path / "model.keras"))


def test_training_images_that_are_gone_are_refused(trained_alone: Path) -> None:
    trained_alone.with_name("split.csv").write_text("path,label,part\n/nowhere/1.png,blue,train\n")
    with pytest.raises(DatasetError, match=r"gone|--data"):
        export(trained_alone, trained_alone.parent, choose_targets(TargetOptions(qat=True)))
