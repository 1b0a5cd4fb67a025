"""Counting answers, and how sure one may be of them."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.evaluation import count_answers, evaluate, probabilities, wilson_interval


def test_the_confusion_matrix_has_truth_in_rows_and_answers_in_columns() -> None:
    counted = count_answers(np.array([0, 1, 1, 2, 0]), np.array([0, 0, 0, 2, 1]), ("a", "b", "c"))
    assert counted.confusion.tolist() == [[1, 2, 0], [1, 0, 0], [0, 0, 1]]


def test_accuracy_is_the_share_of_right_answers() -> None:
    counted = count_answers(np.array([0, 1, 1, 2, 0]), np.array([0, 0, 0, 2, 1]), ("a", "b", "c"))
    assert (counted.correct, counted.pictures, counted.accuracy) == (2, 5, 0.4)


def test_the_majority_share_is_that_of_the_most_frequent_true_class() -> None:
    counted = count_answers(np.array([1, 1, 1, 1, 1]), np.array([0, 0, 0, 2, 1]), ("a", "b", "c"))
    assert counted.majority_share == 0.6


def test_recall_and_precision_are_told_apart() -> None:
    counted = count_answers(np.array([0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 1]), ("a", "b"))
    assert counted.to_json()["by_class"] == {
        "a": {"pictures": 4, "recall": 0.25, "precision": 1.0},
        "b": {"pictures": 1, "recall": 1.0, "precision": 0.25},
    }


def test_a_class_that_was_never_answered_has_no_precision() -> None:
    counted = count_answers(np.array([0, 0]), np.array([0, 1]), ("a", "b"))
    assert counted.to_json()["by_class"]["b"] == {"pictures": 1, "recall": 0.0, "precision": None}


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    # R: prop.test(correct, total, correct = FALSE)$conf.int
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (5, 10, (0.2366, 0.7634)), (580, 656, (0.8574, 0.9064))],
    ids=["none", "all", "half", "the paper's test set"],
)
def test_the_interval_is_wilsons(correct: int, total: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(correct, total) == pytest.approx(interval, abs=5e-5)


@pytest.fixture(scope="module")
def brightness() -> keras.Model:
    """One sigmoid unit: the probability of the second class grows with the mean level, and is 0.5 at 100."""
    image = keras.Input((2, 2, 1))
    mean = layers.GlobalAveragePooling2D()(image)
    dense = layers.Dense(
        1, activation="sigmoid", kernel_initializer="ones", bias_initializer=keras.initializers.Constant(-100)
    )
    return keras.Model(image, dense(mean))


def test_a_sigmoid_unit_is_the_probability_of_the_second_class(brightness: keras.Model) -> None:
    images = np.full((3, 2, 2, 1), 100, np.uint8) + np.array([-2, 0, 2], np.int8).astype(np.uint8).reshape(3, 1, 1, 1)
    sigmoid = 1 / (1 + np.exp(-2.0))
    expected = [[sigmoid, 1 - sigmoid], [0.5, 0.5], [1 - sigmoid, sigmoid]]
    np.testing.assert_allclose(probabilities(brightness, images), expected, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_probabilities_do_not_depend_on_the_batch(brightness: keras.Model, batch: int) -> None:
    images = np.random.default_rng(0).integers(95, 106, (10, 2, 2, 1), dtype=np.uint8)
    np.testing.assert_allclose(probabilities(brightness, images, batch), probabilities(brightness, images), atol=1e-6)


def test_evaluate_compares_answers_with_labels(brightness: keras.Model) -> None:
    images = np.array([90, 110, 110, 90], np.uint8).reshape(4, 1, 1, 1).repeat(2, 1).repeat(2, 2)
    pictures = Arrays(images, np.array([0, 1, 0, 0]), tuple("abcd"))
    assert evaluate(brightness, pictures, ("dark", "bright")).confusion.tolist() == [[2, 1], [0, 1]]
