"""Further outputs: found from the graph, the same in every file, and `probabilities` as it is without them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime as ort
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from edgeclf.export.adopt import adopt_model
from edgeclf.export.frozen import Frozen, freeze
from edgeclf.export.further_parity import FurtherParity, FurtherReference
from edgeclf.export.options import ExportOptions, GateLimits, TargetOptions
from edgeclf.export.outputs import add_outputs
from edgeclf.export.parity import Reference, check_parity
from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.conventions.package import find_model
from edgeclf.train.keras_file.samples import read_samples
from edgeclf.train.keras_file.saving import KerasModel, open_keras
from edgeclf.train.networks.backbones import Backbone
from tests.support.trained_run import export_with_outputs

FILES = ("model.onnx", "model.int8.onnx", "model.fp32.tflite", "model.int8.tflite")


@pytest.fixture(scope="module")
def with_outputs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model, exported with every further output."""
    folder = tmp_path_factory.mktemp("outputs")
    export_with_outputs(run_folder / "model.keras", folder)
    return folder


@pytest.fixture(scope="module")
def model(run_folder: Path) -> KerasModel:
    return open_keras(run_folder / "model.keras")


@pytest.fixture(scope="module")
def frozen(model: KerasModel) -> Frozen:
    return freeze(model, ("all",))


@pytest.fixture(scope="module")
def images(model: KerasModel) -> Pixels:
    return read_samples(model.path, "verification", model.card.preprocess).images


def network(*tail: layers.Layer, size: int = 16) -> keras.Model:
    """An untrained network of one convolution and `tail`."""
    image = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    for layer in tail:
        x = layer(x)
    return keras.Model(image, x)


def frozen_with(made: keras.Model, *outputs: str) -> Frozen:
    units = made.output_shape[-1]
    card = ModelCard(tuple("abcdefgh"[: max(units, 2)]), Preprocess((16, 16)), "softmax" if units > 1 else "sigmoid")
    return freeze(KerasModel(Path("mine.keras"), made, card), outputs)


@pytest.mark.parametrize("name", FILES)
def test_probabilities_are_bit_for_bit_what_they_are_without_further_outputs(
    run_folder: Path, with_outputs: Path, name: str, images: Pixels
) -> None:
    before, after = Classifier.open(run_folder / name, device="cpu"), Classifier.open(with_outputs / name, device="cpu")
    assert (before.card.outputs, after.card.outputs) == ((), ("embedding", "heatmap"))
    assert before.probabilities(images).tobytes() == after.probabilities(images).tobytes()


@pytest.mark.parametrize("name", FILES)
def test_the_gate_compares_further_outputs_on_the_images(with_outputs: Path, name: str) -> None:
    report = json.loads((with_outputs / "model.parity.json").read_text())
    (entry,) = [entry for entry in report["artifacts"] if entry["file"] == name]
    assert (entry["embedding_cosine"] > 0.999, entry["heatmap_correlation"] > 0.99) == (True, True)
    assert entry["heatmap_same_place"] >= 0.95


def test_a_new_file_runs_in_plain_onnxruntime_and_litert(with_outputs: Path, model: KerasModel, images: Pixels) -> None:
    session = ort.InferenceSession(with_outputs / "model.onnx")
    of_onnx = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: images})[0]
    interpreter = Interpreter(str(with_outputs / "model.fp32.tflite"))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    of_tflite = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(of_onnx, model.probabilities(images), atol=1e-4)
    np.testing.assert_allclose(of_tflite, model.probabilities(images), atol=1e-4)
    assert [output.name for output in session.get_outputs()] == ["probabilities", "embedding", "heatmap"]


def test_the_mean_of_a_heatmap_and_the_bias_are_the_score(frozen: Frozen, model: KerasModel, images: Pixels) -> None:
    probabilities, embedding, maps = (one.numpy() for one in frozen.function(tf.constant(images)))
    weights, bias = model.network.layers[-1].get_weights()
    score = maps.mean(axis=(1, 2)) + np.array([-1, 1]) * bias
    np.testing.assert_allclose(1 / (1 + np.exp(-score)), probabilities, atol=1e-5)
    np.testing.assert_allclose(score[:, 1:], embedding @ weights + bias, rtol=1e-4, atol=1e-4)


POOLED = (layers.GlobalAveragePooling2D, lambda: layers.Dropout(0.5))


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ((*POOLED, lambda: layers.Dense(3, "softmax")), [("embedding", 4), ("heatmap", 16, 16, 3)]),
        ((*POOLED, lambda: layers.Dense(1, "sigmoid")), [("embedding", 4), ("heatmap", 16, 16, 2)]),
        (
            (lambda: layers.GlobalAveragePooling2D(keepdims=True), layers.Flatten, lambda: layers.Dense(3, "softmax")),
            [("embedding", 4), ("heatmap", 16, 16, 3)],
        ),
        ((layers.GlobalMaxPooling2D, lambda: layers.Dense(3, "softmax")), [("embedding", 4)]),
        ((layers.Flatten, lambda: layers.Dense(3, use_bias=False, activation="softmax")), [("embedding", 1024)]),
        ((*POOLED, lambda: layers.Dense(5, "relu"), lambda: layers.Dense(3, "softmax")), [("embedding", 5)]),
        ((lambda: layers.Conv2D(3, 1), layers.GlobalAveragePooling2D, layers.Softmax), []),
    ],
    ids=["softmax", "sigmoid", "kept sides", "max pooling", "flatten", "two dense layers", "no dense layer"],
)
def test_outputs_are_found_from_the_graph(
    tail: tuple[Callable[[], layers.Layer], ...], expected: list[tuple[str | int, ...]]
) -> None:
    made = frozen_with(network(*(layer() for layer in tail)), "all")
    assert [
        (name, *one.shape[1:]) for name, one in zip(made.card.outputs, made.function.outputs[1:], strict=True)
    ] == expected


@pytest.mark.parametrize("side", [96, 112])  # 6 x 6 and 7 x 7 places, and half as many, rounded up
def test_a_heatmap_of_several_depths_is_exact(side: int) -> None:
    made = Backbone().build((side, side, 3), 3)
    card = ModelCard(("a", "b", "c"), Preprocess((side, side)), "softmax")
    exported = freeze(KerasModel(Path("mine.keras"), made, card), ("all",))
    image = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    probabilities, embedding, maps = (one.numpy() for one in exported.function(tf.constant(image)))
    weights, bias = made.layers[-1].get_weights()
    scores = embedding @ weights + bias
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias, scores, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(tf.nn.softmax(scores), probabilities, atol=1e-5)
    assert maps.shape == (2, -(-side // 32), -(-side // 32), 3)


def test_what_a_network_cannot_have_is_refused_by_name() -> None:
    made = network(layers.Flatten(), layers.Dense(3, "softmax"))
    with pytest.raises(ModelError, match=r"heatmap.*average pooling.*--outputs"):
        frozen_with(made, "heatmap")


def test_by_default_there_are_embeddings_unless_their_operations_weigh_more_than_two_per_cent() -> None:
    plain = frozen_with(network(*(layer() for layer in POOLED), layers.Dense(3, "softmax")), "probabilities")
    assert add_outputs(plain.function, (), "mine.keras")[1] == ()  # its operations would be a part of so few weights
    large = network(layers.Conv2D(800, 5), layers.GlobalAveragePooling2D(), layers.Dense(8, "softmax"))
    assert frozen_with(large).card.outputs == ("embedding",)
    assert frozen_with(large, "heatmap").card.outputs == ("heatmap",)


def test_a_file_whose_further_outputs_differ_fails_the_gate(
    with_outputs: Path, model: KerasModel, images: Pixels, frozen: Frozen
) -> None:
    samples = read_samples(model.path, "verification", model.card.preprocess)
    answers = model.probabilities(images)
    right = Reference(samples, answers, further=frozen.further(images, answers.argmax(axis=1)))
    assert right.further.embedding is not None
    assert right.further.heatmap is not None
    rolled = FurtherReference(np.roll(right.further.embedding, 1, axis=1), right.further.heatmap[:, ::-1])
    assert not check_parity(with_outputs / "model.onnx", "fp32", right, GateLimits()).misses
    misses = check_parity(with_outputs / "model.onnx", "fp32", replace(right, further=rolled), GateLimits()).misses
    assert [miss.partition(" with")[0] for miss in misses] == [
        "its embedding cosine",
        "its heatmap correlation",
        "its heatmap same place",
    ]
    unasked = check_parity(
        with_outputs / "model.onnx", "fp32", replace(right, further=replace(rolled, is_binding=False)), GateLimits()
    )
    assert (unasked.misses, unasked.warnings) == ((), tuple(misses))


def test_nan_in_a_further_output_is_a_miss() -> None:
    assert FurtherParity(embedding_cosine=float("nan")).misses("Keras", is_reduced=True)


def test_unknown_outputs_and_outputs_of_adopted_models_are_refused(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="heatmap"):
        ExportOptions(outputs=("heatmaps",))
    with find_model(run_folder / "model.onnx") as package, pytest.raises(OptionError, match="--outputs"):
        adopt_model(package, package.path, tmp_path, TargetOptions(), ExportOptions(outputs=("all",)))
