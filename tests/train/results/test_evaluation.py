"""Metrics of predictions and probabilities, and their confidence intervals."""

import json
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.evaluation import (
    Evaluation,
    best_threshold,
    calibration_bins,
    count_predictions,
    count_probabilities,
    evaluate,
    expected_calibration_error,
    negative_log_likelihood,
    probabilities,
)
from edgeclf.train.results.intervals import auc_interval, macro_f1_interval, wilson_interval


def guesses(classes: int, count: int = 200, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels, and probabilities that are higher for the true class."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    raw = rng.random((count, classes)) + 0.5 * np.eye(classes)[labels]
    return labels, (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)


def metrics(classes: int, threshold: float | None = None) -> dict[str, Any]:
    labels, guessed = guesses(classes)
    return count_probabilities(guessed, labels, tuple("abcdefghij"[:classes]), threshold).to_json()


def test_the_confusion_matrix_has_true_classes_in_rows_and_predicted_ones_in_columns() -> None:
    counted = count_predictions(np.array([0, 1, 1, 2, 0]), np.array([0, 0, 0, 2, 1]), ("a", "b", "c"))
    assert counted.confusion.tolist() == [[1, 2, 0], [1, 0, 0], [0, 0, 1]]


def test_accuracy_is_the_share_of_correct_predictions() -> None:
    counted = count_predictions(np.array([0, 1, 1, 2, 0]), np.array([0, 0, 0, 2, 1]), ("a", "b", "c"))
    assert (counted.correct, counted.images, counted.accuracy) == (2, 5, 0.4)


def test_the_majority_share_is_that_of_the_most_frequent_true_class() -> None:
    counted = count_predictions(np.array([1, 1, 1, 1, 1]), np.array([0, 0, 0, 2, 1]), ("a", "b", "c"))
    assert counted.majority_share == 0.6


def test_recall_and_precision_are_not_confused() -> None:
    by_class = count_predictions(np.array([0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 1]), ("a", "b")).to_json()["by_class"]
    assert [by_class["a"][name] for name in ("images", "recall", "precision", "f1")] == [4, 0.25, 1.0, 0.4]
    assert [by_class["b"][name] for name in ("images", "recall", "precision", "f1")] == [1, 1.0, 0.25, 0.4]


def test_recall_and_precision_have_wilson_intervals() -> None:
    counts = count_predictions(np.array([0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 1]), ("a", "b")).to_json()["by_class"]["a"]
    assert counts["recall_95_interval"] == pytest.approx(wilson_interval(1, 4), abs=1e-6)
    assert counts["precision_95_interval"] == pytest.approx(wilson_interval(1, 1), abs=1e-6)


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    counts = count_predictions(np.array([0, 0]), np.array([0, 1]), ("a", "b")).to_json()["by_class"]["b"]
    assert (counts["recall"], counts["precision"], counts["precision_95_interval"]) == (0.0, None, None)


def test_a_class_without_images_has_no_recall() -> None:
    counts = count_predictions(np.array([0, 1]), np.array([0, 0]), ("a", "b")).to_json()["by_class"]["b"]
    assert (counts["images"], counts["recall"], counts["recall_95_interval"], counts["precision"]) == (0, None, None, 0.0)


def test_a_class_without_images_does_not_count_in_the_averages() -> None:
    with_it = count_predictions(np.array([0, 1, 1]), np.array([0, 1, 0]), ("a", "b", "absent")).to_json()
    without = count_predictions(np.array([0, 1, 1]), np.array([0, 1, 0]), ("a", "b")).to_json()
    assert (with_it["macro"], with_it["balanced_accuracy"]) == (without["macro"], without["balanced_accuracy"])


def test_the_averages_are_those_of_scikit_learn() -> None:
    labels, guessed = guesses(4)
    answers = guessed.argmax(axis=1)
    measured = metrics(4)
    assert measured["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, answers), abs=1e-6)
    assert measured["macro"]["f1"] == pytest.approx(f1_score(labels, answers, average="macro"), abs=1e-6)
    assert measured["weighted"]["f1"] == pytest.approx(f1_score(labels, answers, average="weighted"), abs=1e-6)
    assert measured["weighted"]["recall"] == measured["accuracy"]


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    # R: prop.test(correct, total, correct = FALSE)$conf.int
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (5, 10, (0.2366, 0.7634)), (580, 656, (0.8574, 0.9064))],
    ids=["none", "all", "half", "the paper's test set"],
)
def test_the_interval_is_that_of_wilson(correct: int, total: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(correct, total) == pytest.approx(interval, abs=5e-5)


def test_the_interval_of_the_macro_f1_matches_the_spread_over_new_images() -> None:
    labels, guessed = guesses(3, 60_000)
    small = count_probabilities(guessed[:300], labels[:300], "abc")
    samples = zip(np.array_split(labels, 200), np.array_split(guessed.argmax(axis=1), 200), strict=True)
    spread = np.std([f1_score(truth, predicted, average="macro") for truth, predicted in samples])
    low, high = macro_f1_interval(small.confusion) or (0, 0)
    assert low < f1_score(labels[:300], guessed[:300].argmax(axis=1), average="macro") < high
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.15)


def test_the_interval_of_the_macro_f1_is_deterministic() -> None:
    confusion = np.array([[8, 2], [3, 7]])
    assert macro_f1_interval(confusion) == macro_f1_interval(confusion)


def test_a_single_nonzero_cell_has_no_bootstrap_interval() -> None:
    assert macro_f1_interval(np.array([[5, 0], [0, 0]])) is None


@pytest.mark.parametrize(("negatives", "positives"), [(60, 50), (20, 300), (300, 20)])
def test_the_interval_of_an_auc_matches_the_spread_over_new_images(negatives: int, positives: int) -> None:
    # Scores that fall off exponentially, for which Hanley and McNeil's formula is exact: area 8 / (8 + 1).
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [negatives, positives])
    aucs = [roc_auc_score(labels, rng.exponential(np.where(labels, 8, 1))) for _ in range(400)]
    low, high = auc_interval(8 / 9, negatives, positives) or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * np.std(aucs), rel=0.08)


@pytest.mark.parametrize("auc", [0.0, 1.0])
def test_an_auc_of_0_or_1_has_no_interval(auc: float) -> None:
    assert auc_interval(auc, 3, 3) is None


def test_two_classes_have_ranking_metrics() -> None:
    labels, guessed = guesses(2)
    measured = metrics(2)
    low, high = measured["roc_auc_95_interval"]
    assert measured["roc_auc"] == pytest.approx(roc_auc_score(labels, guessed[:, 1]), abs=1e-6)
    assert low < measured["roc_auc"] < high
    assert 0.5 < measured["average_precision"] < 1
    assert "top_k_accuracy" not in measured


def test_more_classes_are_ranked_one_against_the_rest() -> None:
    labels, guessed = guesses(4)
    expected = roc_auc_score(labels, guessed, multi_class="ovr", average="macro")
    assert metrics(4)["roc_auc_one_vs_rest"] == pytest.approx(expected, abs=1e-6)


def test_probabilities_that_do_not_sum_to_one_are_ranked_too() -> None:
    labels, guessed = guesses(3)
    assert count_probabilities(guessed * np.float32(0.99), labels, "abc").to_json()["roc_auc_one_vs_rest"] > 0.5


@pytest.mark.parametrize(("classes", "counts"), [(3, "2"), (5, "234"), (9, "2345")])
def test_k_is_below_the_number_of_classes_and_at_most_five(classes: int, counts: str) -> None:
    assert list(metrics(classes)["top_k_accuracy"]) == list(counts)


def test_a_true_class_in_second_place_counts_for_top_2() -> None:
    guessed = np.array([[0.5, 0.4, 0.1], [0.5, 0.1, 0.4], [0.1, 0.4, 0.5]], np.float32)
    assert count_probabilities(guessed, np.array([1, 1, 1]), "abc").to_json()["top_k_accuracy"] == {"2": 0.666667}


def test_confidence_equal_to_accuracy_has_no_calibration_error() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    guessed = np.tile(np.array([0.6, 0.4], np.float32), (5, 1))
    assert expected_calibration_error(labels, guessed) == pytest.approx(0, abs=1e-6)


def test_the_calibration_error_is_the_mean_distance_over_the_images() -> None:
    guessed = np.array([[0.9, 0.1]] * 3 + [[0.3, 0.7]], np.float32)
    assert expected_calibration_error(np.array([0, 1, 1, 1]), guessed) == pytest.approx((3 * (0.9 - 1 / 3) + 0.3) / 4)


@pytest.mark.parametrize(("confidence", "place"), [(0.0, 0), (1 / 15, 0), (0.07, 1), (0.9334, 14), (1.0, 14)])
def test_bins_have_equal_width_and_contain_their_upper_edge(confidence: float, place: int) -> None:
    bins = calibration_bins(np.array([0]), np.array([[confidence]]))  # type: ignore[arg-type]
    assert bins.images.tolist() == [int(number == place) for number in range(15)]


def test_the_negative_log_likelihood_is_the_cross_entropy() -> None:
    labels, guessed = guesses(4)
    assert negative_log_likelihood(labels, guessed) == pytest.approx(log_loss(labels, guessed), abs=1e-6)


def test_a_mistake_with_certainty_has_a_finite_loss() -> None:
    assert negative_log_likelihood(np.array([1]), np.array([[1, 0]], np.float32)) == pytest.approx(16.118, abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "scores", "threshold"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.4, 0.9], 0.3),
        ([0, 1, 1, 1, 1, 1, 1, 0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.15], 0.175),
        ([0, 1, 0, 1], [0.2, 0.45, 0.8, 0.9], 0.325),
        ([0, 0, 0], [0.1, 0.2, 0.3], 0.5),
        ([0, 1, 1], [0.3, 0.3, 0.3], 0.5),
        ([0, 1, 1], [0.3, np.nan, 0.3], 0.5),
    ],
    ids=["half-way", "rare classes weigh as much", "nearest to 0.5 among equals", "one class", "one score", "NaN"],
)
def test_the_best_threshold_treats_both_classes_alike(labels: list[int], scores: list[float], threshold: float) -> None:
    assert best_threshold(np.array(labels), np.array(scores, np.float32)) == pytest.approx(threshold, abs=1e-6)


def test_a_threshold_is_applied_unchanged() -> None:
    labels, guessed = guesses(2)
    predicted = guessed[:, 1] >= 0.6
    applied = metrics(2, 0.6)["at_threshold"]
    assert applied["threshold"] == 0.6
    assert applied["accuracy"] == pytest.approx((predicted == labels).mean())
    assert applied["recall"] == pytest.approx(predicted[labels == 1].mean(), abs=1e-6)
    assert applied["precision"] == pytest.approx((labels[predicted] == 1).mean(), abs=1e-6)


def test_a_threshold_does_not_change_the_confusion_matrix() -> None:
    assert metrics(2, 0.9)["confusion"] == metrics(2)["confusion"]


NAN = np.full((4, 3), np.nan, np.float32)
ONE_CLASS = np.tile(np.array([0.2, 0.5, 0.3], np.float32), (4, 1))


@pytest.mark.parametrize(
    "evaluation",
    [
        count_probabilities(NAN, np.array([0, 1, 2, 2]), "abc"),
        count_probabilities(ONE_CLASS, np.array([1, 1, 1, 1]), "abc"),
        count_probabilities(ONE_CLASS, np.array([0, 0, 0, 0]), "abc"),
        count_probabilities(ONE_CLASS[:, :2], np.array([0, 0, 0, 0]), "ab", 0.5),
        count_probabilities(ONE_CLASS[:1], np.array([2]), "abc"),
        count_predictions(np.array([0, 0]), np.array([1, 1]), "ab"),
    ],
    ids=["NaN", "one class, all correct", "one class, all wrong", "one of two classes", "one image", "counts alone"],
)
def test_an_undefined_metric_is_null_and_never_nan(evaluation: Evaluation) -> None:
    assert json.loads(json.dumps(evaluation.to_json(), allow_nan=False))["images"] == evaluation.images


def test_one_class_cannot_be_ranked() -> None:
    measured = count_probabilities(ONE_CLASS[:, :2], np.array([0, 0, 0, 0]), "ab").to_json()
    assert (measured["roc_auc"], measured["roc_auc_95_interval"], measured["average_precision"]) == (None, None, None)


def test_counts_alone_have_no_metrics_of_probabilities() -> None:
    assert "expected_calibration_error" not in count_predictions(np.array([0, 1]), np.array([0, 1]), "ab").to_json()


@pytest.mark.slow
def test_a_thousand_classes_are_measured_in_seconds() -> None:
    labels, guessed = guesses(1000, 3000)
    measured = count_probabilities(guessed, labels, [str(number) for number in range(1000)]).to_json()
    assert len(measured["by_class"]) == 1000


@pytest.fixture(scope="module")
def brightness() -> keras.Model:
    """One sigmoid unit: the probability of the second class grows with the mean brightness, and is 0.5 at 100."""
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


def test_evaluate_compares_predictions_with_labels(brightness: keras.Model) -> None:
    images = np.array([90, 110, 110, 90], np.uint8).reshape(4, 1, 1, 1).repeat(2, 1).repeat(2, 2)
    arrays = Arrays(images, np.array([0, 1, 0, 0]), tuple("abcd"))
    assert evaluate(brightness, arrays, ("dark", "bright")).confusion.tolist() == [[2, 1], [0, 1]]


def test_evaluate_keeps_labels_probabilities_and_threshold(brightness: keras.Model) -> None:
    images = Arrays(np.full((2, 2, 2, 1), 100, np.uint8), np.array([0, 1]), tuple("ab"))
    evaluated = evaluate(brightness, images, ("dark", "bright"), 0.3)
    assert (evaluated.labels.tolist(), evaluated.threshold) == ([0, 1], 0.3)
    np.testing.assert_allclose(evaluated.probabilities, 0.5)
