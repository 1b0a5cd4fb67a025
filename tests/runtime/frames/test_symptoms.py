"""What is wrong with a picture is seen from the pictures and their times alone."""

import numpy as np
import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.frames.decode import Pixels
from edgeclf.runtime.frames.symptoms import Judge, judge_for

HD = (720, 1280, 3)


def noise(seed: int, shape: tuple[int, ...] = (48, 64, 3)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def kinds(judge: Judge, pictures: list[Pixels], interval_s: float = 0.1, begin: float = 0.0) -> list[str]:
    """What the judge says of pictures that come so often."""
    troubles = [judge.look(picture, begin + number * interval_s) for number, picture in enumerate(pictures)]
    return [trouble.removeprefix("the picture is ").partition(" (")[0] for trouble in troubles]


def test_pictures_that_differ_are_good() -> None:
    assert set(kinds(Judge(), [noise(seed) for seed in range(40)])) == {""}


def test_equal_pictures_are_frozen_after_a_second() -> None:
    assert kinds(Judge(), [noise(1)] * 40, 0.05) == [""] * 20 + ["frozen"] * 20


def test_fewer_than_ten_equal_pictures_are_not_frozen_however_long_they_take() -> None:
    assert kinds(Judge(), [noise(1)] * 12, 5.0) == [""] * 9 + ["frozen"] * 3


@pytest.mark.parametrize("place", [(0, 0, 0), (719, 1279, 2), (360, 641, 1)])
def test_one_level_that_differs_is_a_moving_picture(place: tuple[int, int, int]) -> None:
    pictures = [noise(1, HD).copy() for _ in range(40)]
    for picture in pictures[::2]:
        picture[place] ^= 1

    assert set(kinds(Judge(), pictures)) == {""}


def test_first_picture_that_differs_is_good_again() -> None:
    assert kinds(Judge(), [noise(1)] * 20 + [noise(2)])[-2:] == ["frozen", ""]


def test_picture_that_is_still_the_same_after_opening_anew_stays_frozen() -> None:
    judge = Judge()
    kinds(judge, [noise(1)] * 20)
    judge.reopened()

    assert kinds(judge, [noise(1)] * 3, begin=2.5) == ["frozen"] * 3


def test_patience_doubles_with_each_alarm_up_to_a_minute() -> None:
    judge = Judge()
    runs = [kinds(judge, [noise(seed)] * 1300, begin=seed * 130.0).index("frozen") for seed in range(9)]

    assert runs == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_patience_is_the_first_one_again_when_pictures_have_moved_for_a_while() -> None:
    judge = Judge()
    kinds(judge, [noise(1)] * 20)
    kinds(judge, [noise(seed) for seed in range(2, 123)], begin=2)

    assert kinds(judge, [noise(1)] * 20, begin=14.1).index("frozen") == 10


def test_patience_shrinks_as_it_grew() -> None:
    judge = Judge()
    for number in range(3):
        kinds(judge, [noise(number)] * 50, begin=number * 5.0)
    kinds(judge, [noise(seed) for seed in range(3, 113)], begin=15)

    assert kinds(judge, [noise(1)] * 50, begin=26).index("frozen") == 40


def test_patience_is_not_forgotten_between_two_stillnesses() -> None:
    judge = Judge()
    for number in range(20):
        seen = kinds(judge, [noise(number)] * 50 + [noise(seed) for seed in range(100, 150)], begin=number * 10.0)

    assert set(seen) == {""}


def test_eight_black_pictures_in_a_row_are_black() -> None:
    black = [np.full((48, 64, 3), level, np.uint8) for level in range(12)]

    assert kinds(Judge(), [noise(1), *black, noise(2)]) == [""] * 8 + ["black"] * 5 + [""]


def test_black_may_have_some_noise() -> None:
    black = [np.where(noise(seed) > 254, noise(seed), noise(seed) % 17).astype(np.uint8) for seed in range(12)]

    assert kinds(Judge(), black)[-1] == "black"


def test_dark_picture_with_something_in_it_is_not_black() -> None:
    dark = [noise(seed) % 17 for seed in range(12)]
    for picture in dark:
        picture[:4] = 200

    assert set(kinds(Judge(), dark)) == {""}


def test_another_size_is_seen_at_once_and_accepted_after_opening_anew() -> None:
    judge = Judge()
    judge.look(noise(1), 0.0)
    trouble = judge.look(noise(2, (24, 32, 3)), 0.1)
    judge.reopened()

    assert trouble == "the picture changed from 64x48 to 32x24"
    assert judge.look(noise(3), 0.2) == ""


@pytest.mark.parametrize(
    ("what", "pictures"), [("black", [np.zeros((48, 64, 3), np.uint8)] * 99), ("frozen", [noise(1)] * 99)]
)
def test_what_is_accepted_is_no_symptom(what: str, pictures: list[Pixels]) -> None:
    assert set(kinds(Judge(accept=frozenset({what})), pictures)) == {""}
    assert what in kinds(Judge(), pictures)


def test_what_cannot_be_accepted_is_an_option_error() -> None:
    with pytest.raises(OptionError, match="black and frozen, not 'blue'"):
        Judge(accept=frozenset({"blue"}))


@pytest.mark.parametrize(
    ("name", "frozen_from"),
    [("webcam", 10), ("0", 10), ("rtsp://host/live", 50), ("HTTP://host/live", 50), ("screen", None), ("screen:2", None)],
)
def test_streams_have_more_patience_and_screens_are_never_frozen(name: str, frozen_from: int | None) -> None:
    seen = kinds(judge_for(name), [noise(1)] * 99)

    assert (seen.index("frozen") if "frozen" in seen else None) == frozen_from


def test_judge_keeps_one_picture() -> None:
    import weakref

    judge, kept = Judge(), []
    for seed in range(5):
        picture = noise(seed)
        kept.append(weakref.ref(picture))
        judge.look(picture, seed)
        del picture

    assert [reference() is not None for reference in kept] == [False] * 4 + [True]
