"""`clf-check --labels`: images whose label the other images speak against are named, with the class that they look like."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.review.answers import read_answers
from edgeclf.train.confident_learning import confident_classes, wrong_labels
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.label_errors import FOLDS, LabelledImages, divide, require_enough

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]
ODD_NAME = os.fsdecode(b"wrong, \xff\n.png")


@pytest.fixture
def striped(tmp_path: Path) -> Path:
    """Two classes of 15 images each, with stripes across and upright; one of `across` is in `upright`."""
    rng = np.random.default_rng(0)
    for number in range(30):
        kind = "across" if number % 2 else "upright"
        pixels = rng.integers(0, 60, (64, 64, 3))
        pixels[(np.arange(64) + number) % 8 < 4] += 150
        name = f"upright/{ODD_NAME}" if number == 1 else f"{kind}/{number:02}.png"
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if kind == "across" else pixels.transpose(1, 0, 2)
        path.write_bytes(encode_image(np.ascontiguousarray(image, np.uint8), ".png"))
    return tmp_path / "data"


@pytest.mark.slow
def test_the_wrong_label_is_named_and_can_be_reviewed(striped: Path, tmp_path: Path, clf_check: Invoke) -> None:
    table = tmp_path / "suspects.csv"
    result = clf_check(striped, "--labels", "--json", "-o", table)
    found = [one for one in json.loads(result.stdout)["findings"] if one["kind"] == "label_error"]
    assert [(one["paths"], one["wrong_label"]["label"], one["wrong_label"]["suggested"]) for one in found] == [
        ([str(striped / "upright" / ODD_NAME)], "upright", "across")
    ]
    assert found[0]["wrong_label"]["label_probability"] < 0.5 < found[0]["wrong_label"]["suggested_probability"]
    (answer,) = read_answers(str(table))
    assert (answer.path, answer.truth, answer.label) == (str(striped / "upright" / ODD_NAME), "upright", "across")
    assert clf_check(striped, "--labels", "-o", table).exit_code == 0  # its own table may be replaced


def test_a_class_of_fewer_images_than_folds_is_refused_before_tensorflow(lay_out: LayOut, clf_check: Invoke) -> None:
    result = clf_check(lay_out({"cat": 8, "dog": FOLDS - 1}, 40, 48), "--labels")
    assert result.exit_code == 2
    assert f"class dog has {FOLDS - 1} readable images" in result.stderr
    assert "loading TensorFlow" not in result.stderr


def test_copies_count_once() -> None:
    images = Arrays(np.zeros((6, 1, 1, 3), np.uint8), np.zeros(6, np.int64), tuple("abcdef"))
    require_enough(LabelledImages(images, ("cat",), [[0], [1], [2], [3], [4, 5]]))
    with pytest.raises(DatasetError, match="class cat has 4 readable images"):
        require_enough(LabelledImages(images, ("cat",), [[0], [1], [2], [3, 4, 5]]))


def test_a_table_needs_labels_and_never_replaces_another_file(lay_out: LayOut, tmp_path: Path, clf_check: Invoke) -> None:
    data, mine = lay_out({"cat": 8, "dog": 8}, 40, 48), tmp_path / "mine.csv"
    assert "--labels" in clf_check(data, "-o", mine).stderr
    mine.write_text("path,price\n")
    assert clf_check(data, "--labels", "-o", mine).exit_code == 2
    assert mine.read_text() == "path,price\n"


def test_as_many_images_are_named_as_confidently_belong_elsewhere() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.05, 0.95], [0.1, 0.9], [0.3, 0.7], [0.96, 0.04]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # Thresholds, the mean probability of those labelled so: 0.583 and 0.547.
    assert confident_classes(probabilities, labels).tolist() == [0, 0, 1, 1, 1, 0]
    assert wrong_labels(probabilities, labels) == [(5, 0), (2, 1)]


def test_an_image_between_two_classes_is_not_named() -> None:
    probabilities = np.array([[0.5, 0.5], [0.52, 0.48], [0.4, 0.6]])
    assert wrong_labels(probabilities, np.array([0, 1, 1])) == [(1, 0)]
    assert wrong_labels(probabilities, np.array([0, 1, 1]), unlikely=0.9) == []
    three = np.array([[0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.1, 0.85, 0.05]])
    assert wrong_labels(three, np.array([0, 1, 2, 2])) == [(3, 1)]
    assert wrong_labels(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([0, 1])) == []


def test_copies_are_in_one_fold_and_every_class_is_in_all_folds() -> None:
    labels = np.arange(40) % 2
    groups = [[0, 2, 4], *([number] for number in range(40) if number not in (0, 2, 4))]
    folds = divide(labels, groups, seed=0)
    assert len({int(folds[number]) for number in (0, 2, 4)}) == 1
    assert all(set(folds[labels == label]) == set(range(FOLDS)) for label in (0, 1))
    assert folds.tolist() != divide(labels, groups, seed=1).tolist()
