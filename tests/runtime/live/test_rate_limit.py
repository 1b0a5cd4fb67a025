"""Answers at even intervals, with a scripted clock."""

from itertools import pairwise

import pytest

from edgeclf.runtime.live.rate_limit import RateLimiter


def answer_times(every_s: float | None, work_s: float, count: int, late: dict[int, float] | None = None) -> list[float]:
    """When each answer began, in seconds from the first. late: how much longer an answer took, by its number from 1."""
    now = 0.0
    limiter = RateLimiter(every_s, now=lambda: now)
    times: list[float] = []
    while len(times) < count:
        times.append(now)
        due = limiter.schedule_next()
        now = max(now + work_s + (late or {}).get(len(times), 0.0), due)
    return times


@pytest.mark.parametrize("every_s", [2, 0.25, 1 / 30])
def test_answers_come_at_even_intervals(every_s: float) -> None:
    assert answer_times(every_s, 0.01, 5) == pytest.approx([number * every_s for number in range(5)])


def test_without_a_limit_there_is_no_wait() -> None:
    assert answer_times(None, 0.01, 4) == pytest.approx([0, 0.01, 0.02, 0.03])


def test_work_that_takes_longer_than_the_interval_sets_the_rate() -> None:
    assert answer_times(0.1, 0.3, 4) == pytest.approx([0, 0.3, 0.6, 0.9])


def test_a_delay_is_not_made_up_for() -> None:
    times = answer_times(0.1, 0.01, 6, late={2: 5.0})
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > 0.09
