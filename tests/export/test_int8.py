"""If INT8 fails the gate, other ways are tried, and the report says which one passed."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector

from edgeclf.export.external_model import attach_card_to
from edgeclf.export.external_options import ExternalModel
from edgeclf.export.int8 import METHODS, Attempt, Method, fix_bins, search
from edgeclf.export.int8_onnx import OnnxQuantizer
from edgeclf.export.int8_tflite import TfliteQuantizer
from edgeclf.export.options import TargetOptions
from edgeclf.export.parity import Parity
from edgeclf.export.run import export
from edgeclf.export.targets import choose_targets
from edgeclf.export.to_onnx import convert
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.keras_file.saving import KerasModel, open_keras, save
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.results.evaluation import probabilities

LAYERS = ("stem", "middle", "branch", "end", "head")


@dataclass
class Files:
    """A quantizer whose files contain the way they were made."""

    layers: tuple[str, ...] = LAYERS
    made: list[str] = field(default_factory=list)
    activations: str = "int8"

    def quantize(self, method: Method, in_float: Collection[str] = ()) -> bytes:
        self.made.append(" ".join([method, *sorted(in_float)]))
        return self.made[-1].encode()


def parity(correct: int, misses: tuple[str, ...]) -> Parity:
    return Parity(
        name="model",
        precision="int8",
        images=100,
        size_bytes=1,
        reference_correct=90,
        correct=correct,
        agreement=0.9,
        clear=90,
        clear_agreed=correct,
        max_difference=0.1,
        misses=misses,
    )


def gate(passing: set[str], correct: dict[str, int] | None = None) -> Callable[[bytes], Parity]:
    """Passes only files that were made in one of these ways."""
    return lambda data: parity(
        (correct or {}).get(data.decode(), 50), () if data.decode() in passing else ("it is not good enough",)
    )


ERRORS = {"stem": 0.1, "middle": 0.5, "branch": 0.2, "end": 0.4, "head": 0.3}


def error(data: bytes) -> float:
    """The error of the one layer that is not in float."""
    (alone,) = set(LAYERS) - set(data.decode().split())
    return ERRORS[alone]


@pytest.mark.parametrize("position", range(3), ids=METHODS)
def test_the_first_method_that_passes_is_used(position: int) -> None:
    files = Files()
    found = search(files, gate({METHODS[position]}), error)
    assert (found.attempt, found.parity.attempts) == (Attempt(METHODS[position]), position + 1)
    assert files.made == list(METHODS[: position + 1])
    assert found.data == METHODS[position].encode()


def test_more_and_more_sensitive_layers_stay_in_float() -> None:
    files = Files()
    found = search(files, gate({"percentile branch end head middle"}), error)
    assert found.attempt == Attempt("percentile", ("middle", "end", "head", "branch"))
    measured, tried = files.made[3 : 3 + len(LAYERS)], files.made[3 + len(LAYERS) :]
    assert all(way.count(" ") == len(LAYERS) - 1 for way in measured)
    in_float = ("middle", "end middle", "branch end head middle")
    assert tried == [f"{method} {layers}" for layers in in_float for method in METHODS]
    assert (found.parity.made_by, found.parity.attempts) == (
        "percentile calibration, 4 layers in float, int8 activations",
        12,
    )


def test_layers_in_float_are_first_tried_with_the_closest_method() -> None:
    found = search(Files(), gate({"entropy middle"}, {"entropy": 80}), error)
    assert (found.attempt, found.parity.attempts) == (Attempt("entropy", ("middle",)), 4)
    assert found.parity.made_by == "entropy calibration, 1 layer in float, int8 activations"


def test_if_nothing_passes_the_closest_attempt_is_returned() -> None:
    found = search(Files(), gate(set(), {"percentile": 85, "min-max": 70}), error)
    assert (found.attempt, found.parity.correct) == (Attempt("percentile"), 85)
    assert found.parity.misses == ("it is not good enough",)


def test_the_alternative_to_layers_in_float_is_said_once_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    search(Files(), gate({"min-max"}), error, "try --qat")
    assert "--qat" not in capsys.readouterr().err
    search(Files(), gate({"entropy end middle"}), error, "try --qat")
    assert capsys.readouterr().err.count("--qat") == 1


SHAPE = (24, 24, 3)


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with one channel ten thousand times as large as the others, and weights that compensate for it.

    In float this changes nothing. In 8 bits the other channels are lost, whatever the calibration.
    """
    keras.utils.set_random_seed(2)
    network = ConvNet((8, 16), dropout=0.0).build(SHAPE, 3)
    rng = np.random.default_rng(6)
    images = {kind: tinted(rng, 60) for kind in ("calibration", "verification")}
    network.compile("adam", "sparse_categorical_crossentropy")
    labels = images["calibration"].mean(axis=(1, 2)).argmax(axis=1)
    network.fit(images["calibration"].astype(np.float32), labels, epochs=30, batch_size=10, verbose=0)
    second = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)][1]
    normalization = next(layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization))
    gamma, beta, mean, variance = normalization.get_weights()
    loudness = np.where(np.arange(8) == 3, 1e4, 1.0)
    normalization.set_weights([gamma * loudness, beta * loudness, mean, variance])
    second.set_weights([second.get_weights()[0] / loudness[:, None]])
    samples = {kind: Arrays(each, probabilities(network, each).argmax(axis=1)) for kind, each in images.items()}
    path = tmp_path_factory.mktemp("loud") / "model.keras"
    save(network, ModelCard(("red", "green", "blue"), Preprocess(SHAPE[:2]), "softmax"), samples, path)
    return path


def tinted(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    return rng.integers(0, rng.integers(40, 256, (count, 1, 1, 3)), (count, *SHAPE)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_layers_in_float_rescue_a_network_that_fails_in_8_bits(loud: Path, tmp_path: Path, name: str) -> None:
    result = export(loud, tmp_path, choose_targets(TargetOptions((name,), ("int8",))))
    (only,) = result.parities
    assert result.passed, only
    assert "in float" in only.made_by
    assert only.attempts > len(METHODS)
    assert Classifier.open(result.published[0]).backend.input_shape == SHAPE


@pytest.fixture(scope="module")
def model(loud: Path) -> KerasModel:
    return open_keras(loud)


def test_onnx_uses_qdq_with_per_channel_weights(model: KerasModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    quantizer = OnnxQuantizer(convert(model), model.card, tinted(rng, 4), tmp_path)
    proto = onnx.load_model_from_string(quantizer.quantize("min-max"))
    weights = {tensor.name: tensor for tensor in proto.graph.initializer}
    scales = [
        weights[n.input[1]].dims for n in proto.graph.node if n.op_type == "DequantizeLinear" and n.input[0] in weights
    ]
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= {node.op_type for node in proto.graph.node}
    assert [8] in scales
    assert [16] in scales
    assert proto.graph.node[-1].op_type == "Softmax"  # so the answers sum to 1


@pytest.mark.slow
def test_every_method_finds_its_own_ranges(tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    network = ConvNet((8, 16), dropout=0.0).build(SHAPE, 3)
    model = attach_card_to(network, ExternalModel(("red", "green", "blue")).facts(), tmp_path / "model.keras")
    images = tinted(np.random.default_rng(0), 12)
    quantizers = (OnnxQuantizer(convert(model), model.card, images, tmp_path), TfliteQuantizer(model, images))
    different = [len({quantizer.quantize(method) for method in METHODS}) for quantizer in quantizers]
    assert different == [len(METHODS), len(METHODS)]


@pytest.mark.parametrize("quietest", [0.0, 1e-30, 1e-6])
def test_a_first_image_with_small_values_does_not_need_millions_of_bins(quietest: float) -> None:
    collector = HistogramCollector("percentile", False, 2048, None, 99.99, None)
    fix_bins(collector, {"conv": (0.0, 6.0)})
    for loudness in (quietest, 6.0):
        collector.collect({"conv": [np.linspace(0, loudness, 1000, dtype=np.float32)]})
    assert len(collector.histogram_dict["conv"][0]) == 2048
    low, high = collector.compute_collection_result()["conv"][:2]
    assert (low <= 0.01, high >= 5.98) == (True, True)


def test_the_faster_activations_are_used(model: KerasModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    for number, times in enumerate(([2.0, 1.0], [1.0, 2.0])):
        monkeypatch.setattr("edgeclf.export.int8_onnx.milliseconds", lambda runs, times=times: times)
        (tmp_path / str(number)).mkdir()
        images = tinted(np.random.default_rng(0), 2)
        quantizer = OnnxQuantizer(convert(model), model.card, images, tmp_path / str(number))
        proto = onnx.load_model_from_string(quantizer.quantize("min-max"))
        activations = next(node for node in proto.graph.node if node.op_type == "QuantizeLinear")
        zero = next(tensor for tensor in proto.graph.initializer if tensor.name == activations.input[2])
        chosen.append((quantizer.activations, onnx.TensorProto.DataType.Name(zero.data_type)))
    assert chosen == [("int8", "INT8"), ("uint8", "UINT8")]


def test_a_network_without_weights_is_refused(model: KerasModel, tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    scores = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(image))
    bare = KerasModel(model.path, keras.Model(image, scores), model.card)
    with pytest.raises(ModelError, match="no layer with weights"):
        OnnxQuantizer(convert(bare), bare.card, tinted(np.random.default_rng(0), 2), tmp_path)


@pytest.mark.slow
def test_quantising_prints_nothing_to_stdout(model: KerasModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    quantizers = [
        OnnxQuantizer(convert(model), model.card, tinted(np.random.default_rng(0), 3), tmp_path),
        TfliteQuantizer(model, tinted(np.random.default_rng(0), 3)),
    ]
    for quantizer in quantizers:
        quantizer.quantize("entropy", quantizer.layers[:1])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("size_bytes", [0, 1_000, 12_000])
def test_a_full_disk_while_quantising_is_an_error(
    model: KerasModel, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], size_bytes: int
) -> None:
    proto = convert(model)
    with full_disk(size_bytes), pytest.raises((OSError, ModelError)):
        OnnxQuantizer(proto, model.card, tinted(np.random.default_rng(0), 3), tmp_path)


def test_a_failure_inside_another_use_is_said_once(model: KerasModel, tmp_path: Path) -> None:
    no_images = np.empty((0, *SHAPE), np.uint8)
    with pytest.raises(ModelError, match=r"^onnxruntime cannot quantise the model \((?!onnxruntime cannot)[^\n]*int8$"):
        OnnxQuantizer(convert(model), model.card, no_images, tmp_path)
