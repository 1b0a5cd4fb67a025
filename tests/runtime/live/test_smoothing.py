"""A label that stays while the answers waver, and goes when they mean it."""

from collections.abc import Sequence

import numpy as np
import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.smoothing import SmoothedPrediction, Smoother, SmoothingOptions
from edgeclf.runtime.model.prediction import Prediction


def played(smoothing: SmoothingOptions, *cats: float) -> list[SmoothedPrediction]:
    """What becomes of answers with these probabilities of `cat`."""
    smoother = Smoother(smoothing)
    answers = [Prediction(("cat", "dog"), np.array([cat, 1 - cat], np.float32)) for cat in cats]
    return [smoother.update(answer) for answer in answers]


def labels(smoothed: Sequence[SmoothedPrediction]) -> list[str]:
    return [one.label if one.sure else "unsure" for one in smoothed]


def test_without_smoothing_and_hysteresis_it_is_the_answer_itself() -> None:
    answers = played(SmoothingOptions(1, 0.0), 0.9, 0.4, 0.51)
    assert labels(answers) == ["cat", "dog", "cat"]
    assert [one.confidence for one in answers] == pytest.approx([0.9, 0.6, 0.51])


def test_confidence_is_the_mean_over_the_last_frames() -> None:
    assert [one.confidence for one in played(SmoothingOptions(3, 0.0), 0.9, 0.6, 0.6, 0.9)] == pytest.approx(
        [0.9, 0.75, 0.7, 0.7]
    )


def test_one_frame_among_many_does_not_change_the_label() -> None:
    assert set(labels(played(SmoothingOptions(5, 0.0), 0.9, 0.9, 0.9, 0.1, 0.9, 0.9))) == {"cat"}


def test_a_small_lead_does_not_change_the_label() -> None:
    answers = played(SmoothingOptions(1, 0.1), 0.6, 0.46, 0.46)
    assert labels(answers) == ["cat", "cat", "cat"]
    assert answers[-1].confidence == pytest.approx(0.46)  # and it is not made to look like more


def test_a_clear_lead_changes_it() -> None:
    assert labels(played(SmoothingOptions(1, 0.1), 0.6, 0.44)) == ["cat", "dog"]


def test_below_the_threshold_it_is_unsure() -> None:
    assert labels(played(SmoothingOptions(1, 0.1, 0.8), 0.85, 0.79)) == ["cat", "unsure"]


def test_never_sure_below_the_threshold_nor_flickering_around_it() -> None:
    assert labels(played(SmoothingOptions(1, 0.1, 0.7), 0.75, 0.69, 0.72, 0.69, 0.81)) == [
        "cat",
        "unsure",
        "unsure",
        "unsure",
        "cat",
    ]


def test_a_high_threshold_can_be_reached_again() -> None:
    assert labels(played(SmoothingOptions(1, 0.1, 0.98), 0.985, 0.9, 0.985, 0.991)) == ["cat", "unsure", "unsure", "cat"]


def test_another_class_is_judged_as_a_first_answer_is() -> None:
    assert labels(played(SmoothingOptions(1, 0.1, 0.8), 0.9, 0.6, 0.19)) == ["cat", "unsure", "dog"]


def test_of_a_thousand_classes_the_leading_one_is_held() -> None:
    smoother = Smoother(SmoothingOptions())
    names = tuple(f"c{number}" for number in range(1000))
    held = []
    for best in (10, 50, 10):
        scores = np.full(1000, 0.917 / 999, np.float32)
        scores[best] = 0.083
        held.append(smoother.update(Prediction(names, scores)).label)
    assert held == ["c10", "c50", "c10"]


def test_what_is_forgotten_has_no_weight() -> None:
    smoother = Smoother(SmoothingOptions(10, 0.9))
    cat = Prediction(("cat", "dog"), np.array([0.9, 0.1], np.float32))
    dog = Prediction(("cat", "dog"), np.array([0.2, 0.8], np.float32))
    smoother.update(cat)
    smoother.forget()
    answer = smoother.update(dog)
    assert (answer.label, answer.confidence) == ("dog", pytest.approx(0.8))


def test_the_mean_is_a_distribution() -> None:
    assert played(SmoothingOptions(7, 0.1), *np.linspace(0, 1, 20))[-1].mean.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((0, 0.1, 0.5), "--smooth takes a number of frames of at least 1, not 0"),
        ((1, 1.5, 0.5), "--hysteresis takes a probability from 0 to 1, not 1.5"),
        ((1, float("nan"), 0.5), "--hysteresis takes a probability"),
        ((1, 0.1, -0.5), "--conf takes a probability from 0 to 1, not -0.5"),
    ],
)
def test_values_out_of_range_are_refused(values: tuple[int, float, float], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        SmoothingOptions(*values)
