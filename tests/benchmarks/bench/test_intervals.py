"""Intervals of medians claim no more than a few rounds can show, and are deterministic."""

import numpy as np
import pytest

from edgeclf.benchmarks.bench.intervals import median_interval, ratios


def test_a_single_round_is_its_own_interval() -> None:
    interval = median_interval([2.0])
    assert (interval.low, interval.middle, interval.high) == (2.0, 2.0, 2.0)


def test_the_interval_contains_the_median_and_stays_within_the_values() -> None:
    interval = median_interval([1.0, 5.0, 2.0, 3.0, 4.0])
    assert (interval.low, interval.middle, interval.high) == (1.0, 3.0, 5.0)


def test_the_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=500).tolist()
    assert median_interval(values) == median_interval(values)


def test_the_interval_contains_the_true_median_about_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    found = [median_interval(rng.normal(size=15).tolist()) for _ in range(100)]
    assert 0.88 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 1.0


def test_ratios_are_taken_within_a_round() -> None:
    # Both were four times as fast in the second round; a ratio of medians could differ.
    assert ratios([2.0, 8.0, 2.0], [1.0, 4.0, 1.0]).middle == 2.0
    assert str(ratios([2.0, 8.0, 2.0], [1.0, 4.0, 1.0])) == "2.00"


def test_both_sides_need_the_same_number_of_rounds() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0, 2.0], [1.0])
