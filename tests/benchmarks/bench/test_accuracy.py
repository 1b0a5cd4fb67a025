"""How files answer labelled images, counted against what they really answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.benchmarks.bench.accuracy import examine, open_all
from edgeclf.runtime.errors import ModelError, Reason
from edgeclf.runtime.model.prediction import Failure
from edgeclf.train.answering import AnyModel, open_any
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.data.dataset import as_split, find, labelled


@pytest.fixture(scope="module")
def shapes(image_folder: Path, onnx_model: Path) -> Arrays:
    from edgeclf.train.data.arrays import load

    found, _ = find(image_folder)
    part = as_split(labelled(found["train"], ("disc", "square"), image_folder))
    return load(part, open_any(onnx_model).card.preprocess, "images")


def test_the_reference_agrees_with_itself(onnx_model: Path, shapes: Arrays) -> None:
    model = open_any(onnx_model)
    exam = examine(model, {(onnx_model, "cpu"): model}, lambda _: shapes)
    assert exam.marks[onnx_model, "cpu"] == exam.reference
    assert (exam.reference.images, exam.reference.agreement, exam.reference.max_difference) == (60, 1.0, 0.0)


def test_right_answers_are_counted_by_their_labels(onnx_model: Path, shapes: Arrays) -> None:
    exam = examine(open_any(onnx_model), {}, lambda _: shapes)
    swapped = examine(open_any(onnx_model), {}, lambda _: replace(shapes, labels=1 - shapes.labels))
    assert exam.reference.correct + swapped.reference.correct == 60
    assert exam.reference.correct > 50


def test_a_file_is_compared_with_the_reference_and_not_with_the_labels(
    int8_model: Path, onnx_model: Path, shapes: Arrays
) -> None:
    def wrong(images: np.ndarray) -> np.ndarray:
        return 1 - open_any(onnx_model).answers(images)

    reference = AnyModel(open_any(onnx_model).card, wrong)
    mark = examine(reference, {(int8_model, "cpu"): open_any(int8_model)}, lambda _: shapes).marks[int8_model, "cpu"]
    assert mark.agreement < 0.1
    assert mark.correct > 50
    assert mark.max_difference > 0.9


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (("cat", "square"), "calls class 0 'disc', the reference 'cat'; compare models of the same"),
        (("disc", "square", "star"), "knows 2 classes, the reference 3"),
    ],
    ids=["another", "more"],
)
def test_models_of_other_classes_are_not_compared(classes: tuple[str, ...], sentence: str, onnx_model: Path) -> None:
    model = open_any(onnx_model)
    with pytest.raises(ModelError, match=sentence):
        open_all(replace(model, card=replace(model.card, classes=classes, head="softmax")), [(onnx_model, "cpu")])


def test_images_that_cannot_be_read_are_counted(onnx_model: Path, shapes: Arrays) -> None:
    failures = (("a.png", Failure(Reason.EMPTY, "no bytes")),)
    assert examine(open_any(onnx_model), {}, lambda _: replace(shapes, failures=failures)).unread == 1
