"""Files in INT8, in ONNX and TFLite, and what rescues a network that fails in it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector

from edgeclf.export.external_model import attach_card_to
from edgeclf.export.external_options import ExternalModel
from edgeclf.export.frozen import freeze
from edgeclf.export.histograms import QUANTIZED_BINS, Histograms
from edgeclf.export.int8 import METHODS, Quantizer
from edgeclf.export.int8_onnx import OnnxQuantizer
from edgeclf.export.int8_tflite import TfliteQuantizer
from edgeclf.export.options import TargetOptions
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
    quantizer = OnnxQuantizer(convert(freeze(model)), model.card, tinted(rng, 4), tmp_path)
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
    quantizers = (
        OnnxQuantizer(convert(freeze(model)), model.card, images, tmp_path),
        TfliteQuantizer(freeze(model), images),
    )
    different = [len({quantizer.quantize(method) for method in METHODS}) for quantizer in quantizers]
    assert different == [len(METHODS), len(METHODS)]


@pytest.mark.parametrize("quietest", [0.0, 1e-30, 1e-6])
def test_a_first_image_with_small_values_does_not_need_millions_of_bins(quietest: float) -> None:
    collector = Histograms("percentile", {"conv": (0.0, 6.0)}, images=2)
    for loudness in (quietest, 6.0):
        collector.collect({"conv": [np.linspace(0, loudness, 1000, dtype=np.float32)]})
    assert len(collector.histogram_dict["conv"][0]) == 2048
    low, high = collector.compute_collection_result()["conv"][:2]
    assert (low <= 0.01, high >= 5.98) == (True, True)


def test_a_sample_of_a_large_tensor_meets_every_channel() -> None:
    images, channels = 64, np.arange(32, dtype=np.float32)
    collector = Histograms("percentile", {"conv": (0.0, 31.0)}, images)
    for _ in range(images):
        collector.collect({"conv": [np.broadcast_to(channels, (1, 128, 128, 32))]})
    counts, edges = collector.histogram_dict["conv"][:2]
    counted = {round(float(edges[place])) for place in np.flatnonzero(counts)}
    assert counted == set(range(32))
    assert counts.sum() == pytest.approx(1 << 20, rel=0.01)


@pytest.mark.parametrize("ends", [(0.0, 6.0), (-3.0, 5.0), (-2e-3, 1e-3), (0.0, 0.0)])
def test_entropy_chooses_the_same_ranges_as_onnxruntime(ends: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    collector = Histograms("entropy", {"conv": ends}, images=3)
    for spread in (0.1, 1.0, 3.0):
        values = np.clip(rng.normal(0, spread, 2000), *ends).astype(np.float32)
        collector.collect({"conv": [values * np.float32(1.001)]})  # beyond the ends, so that bins are added
    histogram = collector.histogram_dict["conv"]
    expected = HistogramCollector.get_entropy_threshold(collector, histogram, QUANTIZED_BINS)
    assert collector.get_entropy_threshold(histogram, QUANTIZED_BINS) == expected


def test_the_faster_activations_are_used(model: KerasModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    for number, times in enumerate(([2.0, 1.0], [1.0, 2.0])):
        monkeypatch.setattr("edgeclf.export.int8_onnx.milliseconds", lambda runs, times=times: times)
        (tmp_path / str(number)).mkdir()
        images = tinted(np.random.default_rng(0), 2)
        quantizer = OnnxQuantizer(convert(freeze(model)), model.card, images, tmp_path / str(number))
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
        OnnxQuantizer(convert(freeze(bare)), bare.card, tinted(np.random.default_rng(0), 2), tmp_path)


@pytest.mark.slow
def test_quantising_prints_nothing_to_stdout(model: KerasModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    quantizers: list[Quantizer] = [
        OnnxQuantizer(convert(freeze(model)), model.card, tinted(np.random.default_rng(0), 3), tmp_path),
        TfliteQuantizer(freeze(model), tinted(np.random.default_rng(0), 3)),
    ]
    for quantizer in quantizers:
        quantizer.quantize("entropy", quantizer.layers[:1])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("size_bytes", [0, 1_000, 12_000])
def test_a_full_disk_while_quantising_is_an_error(
    model: KerasModel, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], size_bytes: int
) -> None:
    proto = convert(freeze(model))
    with full_disk(size_bytes), pytest.raises((OSError, ModelError)):
        OnnxQuantizer(proto, model.card, tinted(np.random.default_rng(0), 3), tmp_path)


def test_a_failure_inside_another_use_is_said_once(model: KerasModel, tmp_path: Path) -> None:
    no_images = np.empty((0, *SHAPE), np.uint8)
    with pytest.raises(ModelError, match=r"^onnxruntime cannot quantise the model \((?!onnxruntime cannot)[^\n]*int8$"):
        OnnxQuantizer(convert(freeze(model)), model.card, no_images, tmp_path)
