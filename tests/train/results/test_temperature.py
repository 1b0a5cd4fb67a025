"""Temperature scaling calibrates confidence and does not change predictions."""

from collections.abc import Callable
from functools import cache

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from scipy.special import softmax

from edgeclf.runtime.model.card import Head
from edgeclf.train.networks.architectures import FlatNet, head
from edgeclf.train.results.evaluation import expected_calibration_error, probabilities
from edgeclf.train.results.temperature import fit_temperature, fold_temperature, scale

Guesses = tuple[NDArray[np.int64], NDArray[np.float32]]


def guesses(count: int, classes: int, sharpening: float) -> Guesses:
    """Labels drawn from probabilities, and these probabilities with their logits multiplied by `sharpening`."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (count, classes))
    cumulated = softmax(logits, axis=1).cumsum(axis=1)
    labels = (rng.random((count, 1)) > cumulated).sum(axis=1)
    return labels, softmax(logits * sharpening, axis=1).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("sharpening", [0.5, 1.0, 3.0], ids=["under-confident", "calibrated", "over-confident"])
def test_the_temperature_undoes_the_sharpening(classes: int, sharpening: float) -> None:
    labels, guessed = guesses(5000, classes, sharpening)
    assert fit_temperature(guessed, labels) == pytest.approx(sharpening, rel=0.08)


def test_over_confidence_on_other_images_is_corrected() -> None:
    labels, guessed = guesses(4000, 5, 3.0)
    temperature = fit_temperature(guessed[:2000], labels[:2000])
    before = expected_calibration_error(labels[2000:], guessed[2000:])
    after = expected_calibration_error(labels[2000:], scale(guessed[2000:], temperature))
    assert before > 0.15
    assert after < 0.04


def test_a_few_images_without_mistakes_do_not_give_certainty() -> None:
    guessed = np.array([[0.7, 0.3], [0.2, 0.8]] * 5, np.float32)
    assert 0.4 < fit_temperature(guessed, np.array([0, 1] * 5)) < 1


def test_a_single_mistake_does_not_remove_all_confidence() -> None:
    assert 1 < fit_temperature(np.array([[0.99, 0.01]], np.float32), np.array([1])) < 3


def test_many_images_outweigh_the_prior() -> None:
    labels, guessed = guesses(20_000, 3, 5.0)
    assert fit_temperature(guessed, labels) == pytest.approx(5, rel=0.03)


def test_a_mistake_with_certainty_gives_a_finite_temperature() -> None:
    guessed = np.array([[1, 0, 0]] * 20, np.float32)
    assert 0.1 <= fit_temperature(guessed, np.array([0] * 19 + [1])) <= 10


def test_nan_probabilities_give_a_temperature_of_1() -> None:
    assert fit_temperature(np.full((3, 2), np.nan, np.float32), np.array([0, 1, 1])) == 1


def test_a_temperature_of_1_changes_nothing() -> None:
    _, guessed = guesses(100, 4, 2.0)
    np.testing.assert_allclose(scale(guessed, 1.0), guessed, atol=1e-6)


def test_scaled_probabilities_are_a_distribution_of_float32() -> None:
    scaled = scale(np.array([[1, 0], [0.5, 0.5]], np.float32), 2.5)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 12, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def build(images: NDArray[np.uint8]) -> Callable[[int, Head], keras.Model]:
    """An untrained network whose head predicts all classes about equally often; always with the same weights."""

    @cache
    def built(classes: int, kind: Head) -> tuple[keras.Model, list[NDArray[np.float32]]]:
        keras.utils.set_random_seed(2)
        network = FlatNet((8,), two_classes=kind).build((12, 16, 3), classes)
        head = network.layers[-1]
        features = keras.Model(network.input, head.input)(images.astype(np.float32)).numpy()
        kernel = head.get_weights()[0] * 6
        return network, [kernel, -(features @ kernel).mean(axis=0)]

    def restored(classes: int, kind: Head) -> keras.Model:
        network, weights = built(classes, kind)
        network.layers[-1].set_weights(weights)
        return network

    return restored


HEADS = pytest.mark.parametrize(
    ("classes", "kind"), [(2, "sigmoid"), (2, "softmax"), (5, "softmax")], ids=["sigmoid", "softmax of 2", "softmax of 5"]
)


@HEADS
@pytest.mark.parametrize("temperature", [0.6, 2.5])
def test_folding_gives_the_scaled_probabilities(
    build: Callable[[int, Head], keras.Model], images: NDArray[np.uint8], classes: int, kind: Head, temperature: float
) -> None:
    built = build(classes, kind)
    before = probabilities(built, images)
    fold_temperature(built, temperature)
    np.testing.assert_allclose(probabilities(built, images), scale(before, temperature), atol=1e-6)
    assert np.abs(before - scale(before, temperature)).max() > 0.01


@HEADS
def test_folding_does_not_change_predictions(
    build: Callable[[int, Head], keras.Model], images: NDArray[np.uint8], classes: int, kind: Head
) -> None:
    built = build(classes, kind)
    predicted = probabilities(built, images).argmax(axis=1)
    fold_temperature(built, 3.0)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(probabilities(built, images).argmax(axis=1), predicted)


@pytest.mark.parametrize(
    "last",
    [layers.Dense(3), layers.Dense(3, activation="relu"), layers.Softmax()],
    ids=["logits", "relu", "separate softmax"],
)
def test_a_network_without_a_head_is_refused(last: layers.Layer) -> None:
    image = keras.Input((4,))
    with pytest.raises(ValueError, match="dense layer with softmax or sigmoid"):
        fold_temperature(keras.Model(image, last(layers.Dense(3)(image))), 2.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_invalid_temperature_is_refused(temperature: float) -> None:
    image = keras.Input((4,))
    built = keras.Model(image, head(3, "softmax")(image))
    with pytest.raises(ValueError, match="temperature must be above 0"):
        fold_temperature(built, temperature)
    assert np.isfinite(built.get_weights()[0]).all()
