"""Which file to ship, by time, accuracy and size."""

import time

import pytest

from edgeclf.export.timing import ROUNDS, WARM_UP, Performance, milliseconds, pareto, pick_best

QUICK = Performance(2.0, 90, 400)


def test_runs_alternate_so_that_noise_affects_all_alike() -> None:
    order: list[str] = []
    milliseconds([lambda: order.append("a"), lambda: order.append("b")])
    assert order == ["a"] * WARM_UP + ["b"] * WARM_UP + ["a", "b"] * ROUNDS


def test_times_are_in_milliseconds_and_in_order() -> None:
    slow, quick = milliseconds([lambda: time.sleep(0.02), lambda: None])
    assert 19 < slow < 200
    assert quick < 10


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([Performance(3.0, 99, 100)], 0),
        ([Performance(1.0, 80, 900)], 1),
        ([Performance(2.08, 91, 900)], 1),
        ([Performance(1.95, 89, 100)], 0),
        ([Performance(2.0, 90, 300)], 1),
        ([Performance(2.2, 95, 100)], 0),
    ],
    ids=["slower", "faster", "as fast and more accurate", "slightly faster and less accurate", "smaller", "just slower"],
)
def test_the_most_accurate_of_the_fastest_is_picked(others: list[Performance], chosen: int) -> None:
    assert pick_best([QUICK, *others]) == chosen


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (Performance(3.0, 90, 400), [True, False]),
        (Performance(3.0, 91, 400), [True, True]),
        (Performance(3.0, 80, 399), [True, True]),
        (Performance(1.0, 90, 400), [False, True]),
        (QUICK, [True, True]),
    ],
    ids=["slower", "more accurate", "smaller", "faster", "equal"],
)
def test_a_file_beaten_in_everything_is_no_trade_off(other: Performance, kept: list[bool]) -> None:
    assert pareto([QUICK, other]) == kept
