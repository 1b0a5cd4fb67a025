"""Predictions and failures."""

import numpy as np
import pytest

from edgeclf.runtime import ImageError, Prediction
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.model.prediction import Failure

ANSWER = Prediction(("a", "b", "c"), np.array([0.25, 0.5, 0.25], np.float32))


def test_the_label_is_the_most_probable_class() -> None:
    assert (ANSWER.label, ANSWER.confidence) == ("b", 0.5)


def test_the_first_of_equally_probable_classes_wins() -> None:
    assert Prediction(("a", "b"), np.array([0.5, 0.5], np.float32)).label == "a"


def test_scores_have_every_class_in_the_order_of_the_model() -> None:
    assert list(ANSWER.scores.items()) == [("a", 0.25), ("b", 0.5), ("c", 0.25)]


@pytest.mark.parametrize(("count", "labels"), [(1, ["b"]), (3, ["b", "a", "c"]), (9, ["b", "a", "c"])])
def test_top_starts_with_the_best(count: int, labels: list[str]) -> None:
    assert [label for label, _ in ANSWER.top(count)] == labels


def test_repr_is_readable() -> None:
    assert repr(ANSWER) == "Prediction(label='b', confidence=0.5000)"


def test_a_failure_keeps_the_reason_and_the_detail() -> None:
    assert Failure.of(ImageError(Reason.EMPTY, "0 bytes")) == Failure(Reason.EMPTY, "0 bytes")


def test_what_a_place_adds_to_every_class_alike_is_no_heat() -> None:
    maps = np.array([[[5, 5, 5], [4, 2, 0]]], np.float32)
    answer = Prediction(("ant", "bee", "cat"), np.array([0.1, 0.7, 0.2], np.float32), heatmap=maps)

    assert answer.heat() is not None
    np.testing.assert_array_equal(answer.heat(), [[0, 0]])
    np.testing.assert_array_equal(answer.heat("ant"), [[0, 2]])
    assert Prediction(("ant", "bee"), np.array([0.1, 0.9], np.float32)).heat() is None
