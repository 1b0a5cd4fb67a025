"""Every exported file keeps the model contract that programs in other languages rely on. Read with the engines alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgeclf.export.frozen import freeze
from edgeclf.export.to_onnx import to_onnx
from edgeclf.export.to_tflite import to_tflite
from edgeclf.runtime.model.card import CARD_KEY, ModelCard, read_zip_card
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import read_split
from edgeclf.train.keras_file.samples import read_samples
from edgeclf.train.keras_file.saving import open_keras
from edgeclf.train.results.evaluation import probabilities

MakeModel = Callable[..., Path]
TFLITE = ("model.fp32.tflite", "model.fp16.tflite", "model.dynamic.tflite", "model.int8.tflite")
ARTEFACTS = ("model.onnx", *TFLITE)


@pytest.fixture(scope="module")
def everything(run_folder: Path) -> Arrays:
    """All images of the training run."""
    card = ModelCard.from_json(read_zip_card(run_folder / "model.keras") or "")
    parts = [
        load(read_split(run_folder / "split.csv", p, card.classes), card.preprocess, p) for p in ("train", "val", "test")
    ]
    return Arrays(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


@pytest.fixture(scope="module")
def keras_answers(run_folder: Path, everything: Arrays) -> NDArray[np.float32]:
    return probabilities(open_keras(run_folder / "model.keras").network, everything.images)


def tflite_details(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    interpreter = Interpreter(str(path))
    return interpreter.get_input_details(), interpreter.get_output_details()


def test_onnx_takes_image_and_gives_probabilities(exported_onnx: Path) -> None:
    session = ort.InferenceSession(exported_onnx.read_bytes())
    values = [(v.name, v.type, v.shape) for v in (*session.get_inputs(), *session.get_outputs())]
    assert values == [
        ("image", "tensor(uint8)", ["batch", 32, 32, 3]),
        ("probabilities", "tensor(float)", ["batch", 2]),
    ]


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_takes_uint8_images_in_batches_of_any_size(run_folder: Path, name: str) -> None:
    inputs, _ = tflite_details(run_folder / name)
    assert [(i["dtype"], i["shape_signature"].tolist()) for i in inputs] == [(np.uint8, [-1, 32, 32, 3])]


@pytest.mark.parametrize(("name", "kind"), [(name, np.float32) for name in TFLITE[:3]] + [(TFLITE[3], np.uint8)], ids=TFLITE)
def test_tflite_gives_probabilities_in_batches_of_any_size(run_folder: Path, name: str, kind: type) -> None:
    _, outputs = tflite_details(run_folder / name)
    assert [(o["dtype"], o["shape_signature"].tolist()) for o in outputs] == [(kind, [-1, 2])]


@pytest.mark.parametrize("name", TFLITE)
def test_the_signature_of_tflite_names_image_and_probabilities(run_folder: Path, name: str) -> None:
    signatures = Interpreter(str(run_folder / name)).get_signature_list()
    assert signatures == {"serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}}


def test_tflite_runs_by_its_signature(run_folder: Path, everything: Arrays, keras_answers: NDArray[np.float32]) -> None:
    interpreter = Interpreter(str(run_folder / "model.fp32.tflite"))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], everything.images.shape)
    answers = interpreter.get_signature_runner()(image=everything.images)["probabilities"]
    np.testing.assert_allclose(answers, keras_answers, atol=1e-4)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_rows_sum_to_one(run_folder: Path, everything: Arrays, name: str) -> None:
    answers = Classifier.open(run_folder / name).probabilities(everything.images)
    assert (answers.dtype, answers.shape) == (np.float32, (60, 2))
    rounding = 1 / 256 if name == "model.int8.tflite" else 1e-5
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=rounding)


@pytest.mark.parametrize("name", ["model.onnx", "model.fp32.tflite"])
def test_fp32_agrees_with_keras(run_folder: Path, everything: Arrays, keras_answers: NDArray[np.float32], name: str) -> None:
    answers = Classifier.open(run_folder / name).probabilities(everything.images)
    np.testing.assert_allclose(answers, keras_answers, atol=1e-4)


@pytest.mark.parametrize(("name", "atol"), list(zip(TFLITE[1:], (0.01, 0.05, 0.15), strict=True)), ids=TFLITE[1:])
def test_reduced_files_stay_close_to_keras(
    run_folder: Path, everything: Arrays, keras_answers: NDArray[np.float32], name: str, atol: float
) -> None:
    answers = Classifier.open(run_folder / name).probabilities(everything.images)
    np.testing.assert_allclose(answers, keras_answers, atol=atol)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_a_batch_of_any_size_gives_the_same_answers(run_folder: Path, everything: Arrays, name: str) -> None:
    classifier = Classifier.open(run_folder / name)
    one_by_one = np.concatenate([classifier.probabilities(image[None]) for image in everything.images[:5]])
    np.testing.assert_allclose(one_by_one, classifier.probabilities(everything.images)[:5], atol=1e-5)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_the_card_is_the_one_of_the_training_run(run_folder: Path, name: str) -> None:
    card = read_zip_card(run_folder / "model.keras")
    assert card is not None
    assert Classifier.open(run_folder / name).backend.card_text == card


def test_the_card_is_in_the_metadata_of_onnx(run_folder: Path, exported_onnx: Path) -> None:
    metadata = ort.InferenceSession(exported_onnx.read_bytes()).get_modelmeta().custom_metadata_map
    assert json.loads(metadata[CARD_KEY])["classes"] == ["disc", "square"]


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.tflite"])
def test_labels_are_the_names_of_the_folders(run_folder: Path, image_folder: Path, name: str) -> None:
    classifier = Classifier.open(run_folder / name)
    paths = sorted(image_folder.rglob("*.png"))
    right = [prediction.label == path.parent.name for prediction, path in zip(classifier.predict(paths), paths, strict=True)]
    assert np.mean(right) >= 0.95


SHAPES = {
    "grey": ((16, 16), 1, 2),
    "not square": ((16, 28), 3, 2),
    "softmax": ((16, 16), 3, 5),
    "odd sides": ((17, 23), 1, 3),
}


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES)
def other(request: pytest.FixtureRequest, make_model: MakeModel) -> Path:
    """Other sizes, channels and heads, in a network with changed BatchNorm statistics and much dropout."""
    return make_model(*request.param)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_any_shape_and_head_is_exported_in_inference_mode(other: Path, suffix: str, tmp_path: Path) -> None:
    model = open_keras(other)
    path = tmp_path / f"model{suffix}"
    path.write_bytes(to_onnx(freeze(model)) if suffix == ".onnx" else to_tflite(freeze(model), "fp32"))
    images = read_samples(other, "verification", model.card.preprocess).images
    expected = probabilities(model.network, images)
    np.testing.assert_allclose(Classifier.open(path).probabilities(images), expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.02  # a constant would be easy to match


def test_exporting_does_not_change_the_network(trained: Path) -> None:
    model = open_keras(trained)
    before = [weight.tobytes() for weight in model.network.get_weights()]
    to_onnx(freeze(model))
    to_tflite(freeze(model), "fp32")
    assert [weight.tobytes() for weight in model.network.get_weights()] == before
