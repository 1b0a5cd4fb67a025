"""The time limit is for the whole command: what comes after the training has its share of it."""

import time

import pytest

from edgeclf.train.clock import Clock


def started(seconds_ago: float, limit_s: float | None = 100.0, evaluated: int = 0) -> Clock:
    return Clock(limit_s, time.monotonic() - seconds_ago, evaluated)


def test_time_before_the_first_epoch_counts() -> None:
    assert started(50).fits_epoch()
    assert not started(99).fits_epoch()


def test_an_epoch_has_to_end_in_time() -> None:
    clock = started(50)
    clock.epoch_s = 60.0
    assert not clock.fits_epoch()


def test_time_for_the_evaluation_is_kept() -> None:
    clock = started(50, evaluated=1000)
    assert clock.fits_epoch()
    clock.image_s = 0.025
    assert not clock.fits_epoch()


def test_time_before_an_interruption_counts() -> None:
    clock = started(50)
    clock.earlier_s = 49.0
    assert not clock.fits_epoch()
    assert clock.left_s() == pytest.approx(1.0, abs=0.5)


def test_the_training_has_spent_its_share_when_the_evaluation_has_to_begin() -> None:
    assert started(92).spent() == pytest.approx(1.0, abs=0.01)


def test_without_a_limit_there_is_always_time() -> None:
    clock = started(1e6, limit_s=None, evaluated=1000)
    clock.image_s = clock.epoch_s = 1e3
    assert clock.fits_epoch()
    assert clock.spent() == 0
