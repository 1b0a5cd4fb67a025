"""An even pace, in scripted time."""

from itertools import pairwise

import pytest

from edgeclf.runtime.live.rate_limit import RateLimiter


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def turns(most_a_second: float | None, work_s: float, count: int, late: dict[int, float] | None = None) -> list[float]:
    """When each turn began, in seconds from the first. late: turns that took so much longer."""
    time = Time()
    limiter = RateLimiter(most_a_second, now=lambda: time.now, sleep=time.sleep)
    begun = []
    while len(begun) < count:
        if limiter.rest(0.2):
            continue
        begun.append(time.now - 100)
        limiter.turn()
        time.now += work_s + (late or {}).get(len(begun), 0.0)
    return begun


@pytest.mark.parametrize("rate", [0.5, 4, 30])
def test_turns_are_even(rate: float) -> None:
    assert turns(rate, 0.01, 5) == pytest.approx([n / rate for n in range(5)])


def test_without_a_limit_there_is_no_rest() -> None:
    assert turns(None, 0.01, 4) == pytest.approx([0, 0.01, 0.02, 0.03])


def test_work_that_takes_longer_than_a_turn_sets_the_pace() -> None:
    assert turns(10, 0.3, 4) == pytest.approx([0, 0.3, 0.6, 0.9])


def test_a_delay_is_not_made_up_for() -> None:
    begun = turns(10, 0.01, 6, late={2: 5.0})
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert min(gaps) > 0.09


def test_no_rest_is_longer_than_asked_for() -> None:
    time = Time()
    limiter = RateLimiter(0.1, now=lambda: time.now, sleep=time.sleep)
    limiter.turn()
    assert limiter.rest(0.2)
    assert time.now == pytest.approx(100.2)
