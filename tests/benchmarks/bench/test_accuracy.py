"""Accuracy and agreement are counted from what the models really predict."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.benchmarks.bench.accuracy import measure_accuracy, open_models
from edgeclf.runtime.errors import ModelError, Reason
from edgeclf.runtime.model.prediction import Failure
from edgeclf.train.any_model import AnyModel, open_any
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.data.dataset import as_split, find, labelled


@pytest.fixture(scope="module")
def shapes(image_folder: Path, onnx_model: Path) -> Arrays:
    from edgeclf.train.data.arrays import load

    found = find(image_folder)
    part = as_split(labelled(found["train"], ("disc", "square"), image_folder))
    return load(part, open_any(onnx_model).card.preprocess, "images")


def test_the_reference_agrees_with_itself(onnx_model: Path, shapes: Arrays) -> None:
    model = open_any(onnx_model)
    measured = measure_accuracy(model, {(onnx_model, "cpu"): model}, lambda _: shapes)
    assert measured.by_model[onnx_model, "cpu"] == measured.reference
    assert (measured.reference.images, measured.reference.agreement, measured.reference.max_difference) == (60, 1.0, 0.0)


def test_correct_predictions_are_those_that_equal_the_labels(onnx_model: Path, shapes: Arrays) -> None:
    measured = measure_accuracy(open_any(onnx_model), {}, lambda _: shapes)
    swapped = measure_accuracy(open_any(onnx_model), {}, lambda _: replace(shapes, labels=1 - shapes.labels))
    assert measured.reference.correct + swapped.reference.correct == 60
    assert measured.reference.correct > 50


def test_agreement_is_with_the_reference_model_and_not_with_the_labels(
    int8_model: Path, onnx_model: Path, shapes: Arrays
) -> None:
    def wrong(images: np.ndarray) -> np.ndarray:
        return 1 - open_any(onnx_model).probabilities(images)

    reference = AnyModel(open_any(onnx_model).card, wrong, lambda images: None)
    models = {(int8_model, "cpu"): open_any(int8_model)}
    accuracy = measure_accuracy(reference, models, lambda _: shapes).by_model[int8_model, "cpu"]
    assert accuracy.agreement < 0.1
    assert accuracy.correct > 50
    assert accuracy.max_difference > 0.9


@pytest.mark.parametrize(
    ("classes", "keywords"),
    [
        (("cat", "square"), "calls class 0 'disc', the reference model 'cat'"),
        (("disc", "square", "star"), "has 2 classes, the reference model 3"),
    ],
    ids=["other name", "other number"],
)
def test_models_with_other_classes_are_refused(classes: tuple[str, ...], keywords: str, onnx_model: Path) -> None:
    card = replace(open_any(onnx_model).card, classes=classes, head="softmax")
    with pytest.raises(ModelError, match=keywords):
        open_models(card, [(onnx_model, "cpu")])


def test_images_that_cannot_be_read_are_counted(onnx_model: Path, shapes: Arrays) -> None:
    failures = (("a.png", Failure(Reason.EMPTY, "no bytes")),)
    assert measure_accuracy(open_any(onnx_model), {}, lambda _: replace(shapes, failures=failures)).unread == 1
