"""The label stays when answers flicker, and changes when they clearly differ."""

from collections.abc import Sequence

import numpy as np
import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.smoothing import SmoothedPrediction, Smoother, SmoothingOptions
from edgeclf.runtime.model.prediction import Prediction


def smooth(smoothing: SmoothingOptions, *cats: float) -> list[SmoothedPrediction]:
    """Smooth answers with these probabilities of `cat`."""
    smoother = Smoother(smoothing)
    answers = [Prediction(("cat", "dog"), np.array([cat, 1 - cat], np.float32)) for cat in cats]
    return [smoother.update(answer) for answer in answers]


def labels(smoothed: Sequence[SmoothedPrediction]) -> list[str]:
    return [one.label if one.sure else "unsure" for one in smoothed]


def test_without_smoothing_and_hysteresis_every_answer_stands() -> None:
    answers = smooth(SmoothingOptions(1, 0.0), 0.9, 0.4, 0.51)
    assert labels(answers) == ["cat", "dog", "cat"]
    assert [one.confidence for one in answers] == pytest.approx([0.9, 0.6, 0.51])


def test_confidence_is_the_mean_of_the_last_frames() -> None:
    assert [one.confidence for one in smooth(SmoothingOptions(3, 0.0), 0.9, 0.6, 0.6, 0.9)] == pytest.approx(
        [0.9, 0.75, 0.7, 0.7]
    )


def test_one_frame_does_not_change_the_label() -> None:
    assert set(labels(smooth(SmoothingOptions(5, 0.0), 0.9, 0.9, 0.9, 0.1, 0.9, 0.9))) == {"cat"}


def test_a_small_lead_does_not_change_the_label() -> None:
    answers = smooth(SmoothingOptions(1, 0.1), 0.6, 0.46, 0.46)
    assert labels(answers) == ["cat", "cat", "cat"]
    assert answers[-1].confidence == pytest.approx(0.46)  # the label's own probability, although it is low


def test_a_clear_lead_changes_the_label() -> None:
    assert labels(smooth(SmoothingOptions(1, 0.1), 0.6, 0.44)) == ["cat", "dog"]


def test_an_answer_below_the_threshold_is_unsure() -> None:
    assert labels(smooth(SmoothingOptions(1, 0.1, 0.8), 0.85, 0.79)) == ["cat", "unsure"]


def test_answers_around_the_threshold_do_not_flicker() -> None:
    assert labels(smooth(SmoothingOptions(1, 0.1, 0.7), 0.75, 0.69, 0.72, 0.69, 0.81)) == [
        "cat",
        "unsure",
        "unsure",
        "unsure",
        "cat",
    ]


def test_a_high_threshold_can_be_reached_again() -> None:
    assert labels(smooth(SmoothingOptions(1, 0.1, 0.98), 0.985, 0.9, 0.985, 0.991)) == ["cat", "unsure", "unsure", "cat"]


def test_a_new_class_needs_only_the_threshold() -> None:
    assert labels(smooth(SmoothingOptions(1, 0.1, 0.8), 0.9, 0.6, 0.19)) == ["cat", "unsure", "dog"]


def test_with_a_thousand_classes_the_best_one_wins() -> None:
    smoother = Smoother(SmoothingOptions())
    names = tuple(f"c{number}" for number in range(1000))
    found = []
    for best in (10, 50, 10):
        scores = np.full(1000, 0.917 / 999, np.float32)
        scores[best] = 0.083
        found.append(smoother.update(Prediction(names, scores)).label)
    assert found == ["c10", "c50", "c10"]


def test_answers_before_a_reset_have_no_weight() -> None:
    smoother = Smoother(SmoothingOptions(10, 0.9))
    cat = Prediction(("cat", "dog"), np.array([0.9, 0.1], np.float32))
    dog = Prediction(("cat", "dog"), np.array([0.2, 0.8], np.float32))
    smoother.update(cat)
    smoother.reset()
    answer = smoother.update(dog)
    assert (answer.label, answer.confidence) == ("dog", pytest.approx(0.8))


def test_the_mean_is_a_distribution() -> None:
    assert smooth(SmoothingOptions(7, 0.1), *np.linspace(0, 1, 20))[-1].mean.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 0.1, 0.5), "--smooth .* at least 1, not 0"),
        ((1, 1.5, 0.5), "--hysteresis .* from 0 to 1, not 1.5"),
        ((1, float("nan"), 0.5), "--hysteresis .* not nan"),
        ((1, 0.1, -0.5), "--conf .* from 0 to 1, not -0.5"),
    ],
)
def test_values_out_of_range_are_refused(values: tuple[int, float, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        SmoothingOptions(*values)
