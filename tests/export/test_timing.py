"""Which artefact to ship, by time, accuracy and size."""

import time

import pytest

from edgeclf.export.timing import ROUNDS, WARM_UP, Performance, choose, milliseconds, pareto

QUICK = Performance(2.0, 90, 400)


def test_candidates_take_turns_so_that_noise_meets_all() -> None:
    order: list[str] = []
    milliseconds([lambda: order.append("a"), lambda: order.append("b")])
    assert order == ["a"] * WARM_UP + ["b"] * WARM_UP + ["a", "b"] * ROUNDS


def test_times_are_in_milliseconds_and_in_the_order_asked() -> None:
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
    ids=["slower", "faster", "as fast and more accurate", "a hair faster and less accurate", "smaller", "just slower"],
)
def test_the_fastest_is_chosen_and_of_equals_the_best(others: list[Performance], chosen: int) -> None:
    assert choose([QUICK, *others]) == chosen


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
def test_what_another_beats_in_everything_is_no_trade_off(other: Performance, kept: list[bool]) -> None:
    assert pareto([QUICK, other]) == kept
