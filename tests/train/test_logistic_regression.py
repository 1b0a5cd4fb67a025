"""The head is fitted exactly: to the optimum, whatever the scale of its features, from memory or from disk."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from edgeclf.runtime.errors import DatasetError
from edgeclf.train import logistic_regression
from edgeclf.train.logistic_regression import Examples, Head, fit_head

RNG = np.random.default_rng(0)
LABELS = np.arange(90) % 3
CENTRES = RNG.normal(size=(3, 8))
FEATURES = (CENTRES[LABELS] + RNG.normal(size=(90, 8))).astype(np.float32)


def examples(features: np.ndarray = FEATURES, labels: np.ndarray = LABELS, earlier: int = 0) -> Examples:
    targets = np.eye(3, dtype=np.float32)[labels]
    return Examples(features, targets, np.ones(len(labels), np.float32), earlier)


def assert_same(found: Head, expected: Head, tolerance: float = 2e-3) -> None:
    np.testing.assert_allclose(found.probabilities(FEATURES), expected.probabilities(FEATURES), atol=tolerance)


@pytest.mark.parametrize("scale", logistic_regression.SCALES)
def test_it_is_the_optimum_that_scikit_learn_finds(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    monkeypatch.setattr(logistic_regression, "_USUAL", (scale, 1.0))
    monkeypatch.setattr(logistic_regression, "_ROUNDED", 0)
    head = fit_head(examples(), images=0)
    standardised = (FEATURES - FEATURES.mean(axis=0)) / FEATURES.std(axis=0)
    with threadpool_limits(1):
        known = LogisticRegression(C=scale**2, tol=1e-8, max_iter=1000).fit(standardised, LABELS)
    np.testing.assert_allclose(head.probabilities(FEATURES), known.predict_proba(standardised), atol=2e-3)


def test_the_scale_and_the_offset_of_the_features_do_not_matter() -> None:
    head = fit_head(examples(FEATURES * 100 + 7), images=90)
    unscaled = Head(head.kernel * 100, head.bias + 7 * head.kernel.sum(axis=0))
    assert_same(unscaled, fit_head(examples(), 90))


def test_a_feature_that_int8_would_round_away_has_little_weight() -> None:
    """It tells the classes perfectly, but varies by a hundredth of what the others do."""
    small = (LABELS[:, None] - 1) * 0.01
    head = fit_head(examples(np.concatenate([FEATURES, small], axis=1).astype(np.float32)), 90)
    step = (FEATURES.max() - FEATURES.min()) / 255
    assert np.abs(head.kernel[-1]).max() * step < 0.1


def test_features_on_disk_give_the_same_head(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mapped = np.lib.format.open_memmap(tmp_path / "features.npy", "w+", np.float16, FEATURES.shape)
    mapped[:] = FEATURES
    monkeypatch.setattr(logistic_regression, "_IN_MEMORY_NUMBERS", 0)
    monkeypatch.setattr(logistic_regression, "_ROWS", 7)
    assert_same(fit_head(examples(mapped), 90), fit_head(examples(), 90), tolerance=0.02)


def test_a_weight_counts_like_copies_of_the_image() -> None:
    doubled = np.concatenate([np.arange(90), np.arange(30)])
    weights = np.where(np.arange(90) < 30, 2.0, 1.0).astype(np.float32)
    mean, deviation = FEATURES[doubled].mean(axis=0), FEATURES[doubled].std(axis=0)
    weighted = Examples((FEATURES - mean) / deviation, examples().targets, weights)
    copied = examples((FEATURES[doubled] - mean) / deviation, LABELS[doubled])
    found, expected = (fit_head(each, images=0).probabilities(weighted.features) for each in (weighted, copied))
    np.testing.assert_allclose(found, expected, atol=0.03)  # each standardises by what it is given


@pytest.mark.parametrize("helps", [False, True])
def test_earlier_features_count_where_they_help_and_not_where_they_are_noise(helps: bool) -> None:
    noise = RNG.normal(size=(90, 40)).astype(np.float32)
    both = [np.repeat(FEATURES, 5, axis=1), noise[:, :8]] if helps else [noise, FEATURES]
    head = fit_head(examples(np.concatenate(both, axis=1), earlier=40), 90)
    assert bool(np.abs(head.kernel[:40]).max() > 0) == helps


def test_soft_targets_are_what_it_answers_if_the_features_say_nothing() -> None:
    targets = np.tile(np.array([0.7, 0.2, 0.1], np.float32), (90, 1))
    head = fit_head(Examples(FEATURES, targets, np.ones(90, np.float32)), 90)
    np.testing.assert_allclose(head.probabilities(FEATURES), targets, atol=2e-3)


def test_a_feature_that_never_changes_has_no_weight() -> None:
    head = fit_head(examples(np.concatenate([FEATURES, np.full((90, 1), 3.0, np.float32)], axis=1)), 90)
    np.testing.assert_allclose(head.kernel[-1], 0, atol=1e-6)


@pytest.mark.parametrize("images", [0, 2, 11, 12])
def test_few_images_are_enough(images: int) -> None:
    few = examples()[np.arange(max(images, 2))]
    assert np.isfinite(fit_head(few, images).kernel).all()


def test_features_that_are_nan_are_an_error_with_the_cure() -> None:
    spoilt = FEATURES.copy()
    spoilt[3, 2] = np.nan
    with pytest.raises(DatasetError, match=r"NaN.*--weights"):
        fit_head(examples(spoilt), 90)
