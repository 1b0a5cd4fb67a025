"""A model that has learnt nothing is not presented as a result."""

import numpy as np
import pytest

from edgeclf.train.results.doubts import Calibration, calibration_doubts, doubts, training_cures
from edgeclf.train.results.evaluation import Evaluation

CURES = ("more images",)


def measured(*rows: tuple[int, ...]) -> dict[str, object]:
    """The metrics of a confusion matrix, with true classes in rows."""
    return Evaluation(tuple("abcdefgh"[: len(rows)]), np.array(rows)).to_json()


def test_a_model_that_answers_little_but_the_commonest_class_is_doubted() -> None:
    constant, missed, advice = doubts(measured((140, 2, 0, 0), (30, 2, 0, 0), (18, 0, 0, 0), (8, 0, 0, 0)), CURES)
    assert constant == (
        "an accuracy of 71.0% (95 % interval 64.4% to 76.8%) is not clearly better than always answering a: 71.0%"
    )
    assert missed == "never answered: c, d (26 of 200 images)"
    assert advice == "to try: more images"


def test_a_good_model_is_not_doubted() -> None:
    assert doubts(measured((95, 5), (5, 95)), CURES) == []


def test_a_model_below_the_commonest_class_is_doubted() -> None:
    assert "always answering a: 80.0%" in doubts(measured((400, 400), (0, 200)))[0]


def test_few_test_images_show_nothing() -> None:
    assert "not clearly better" in doubts(measured((3, 0), (1, 2)), CURES)[0]


def test_a_good_accuracy_does_not_hide_a_class_that_is_never_answered() -> None:
    assert doubts(measured((90, 0, 0), (0, 90, 0), (2, 0, 0)))[0].startswith("never answered: c (2 of 182 images)")


def test_a_class_that_does_not_occur_is_not_missed() -> None:
    assert doubts(measured((90, 0, 0), (0, 90, 0), (0, 0, 0))) == []


def test_at_most_five_classes_are_named() -> None:
    sentence = doubts(measured(*((5, *[0] * 7) for _ in range(8))))[1]
    assert sentence.startswith("never answered: b, c, d, e, f and 2 more (35 of 40 images)")


@pytest.mark.parametrize(
    ("images", "is_balanced", "is_default", "expected"),
    [
        ([90, 30], False, True, ["--class-weight auto", "more images"]),
        ([90, 30], True, True, ["more images"]),
        ([80, 30], False, True, ["more images"]),
        ([80, 30], False, False, ["the default network", "more images"]),
    ],
    ids=["unbalanced", "balanced by weights", "balanced", "another network"],
)
def test_what_to_try_fits_the_training(images: list[int], is_balanced: bool, is_default: bool, expected: list[str]) -> None:
    cures = training_cures(images, is_balanced=is_balanced, is_default=is_default)
    assert [cure.startswith(start) for cure, start in zip(cures, expected, strict=True)] == [True] * len(expected)


def test_scaling_that_makes_calibration_worse_is_said_with_both_numbers() -> None:
    (sentence,) = calibration_doubts(Calibration(0.02, 0.3), Calibration(0.05, 0.41))
    assert "from 2.0% to 5.0%" in sentence
    assert "from 0.300 to 0.410" in sentence


def test_scaling_that_does_not_hurt_is_not_mentioned() -> None:
    assert calibration_doubts(Calibration(0.05, 0.41), Calibration(0.04995, 0.4104)) == []
