"""Faults are found from the frames and their times alone."""

import weakref

import numpy as np
import pytest

from edgeclf.runtime.cameras.faults import FaultDetector, fault_detector
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels

HD = (720, 1280, 3)


def noise(seed: int, shape: tuple[int, ...] = (48, 64, 3)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def faults(detector: FaultDetector, images: list[Pixels], interval_s: float = 0.1, begin: float = 0.0) -> list[str]:
    """The faults that the detector finds in images that come at this interval."""
    found = [detector.check(image, begin + number * interval_s) for number, image in enumerate(images)]
    return [fault.removeprefix("the image is ").partition(" (")[0] for fault in found]


def test_images_that_differ_are_good() -> None:
    assert set(faults(FaultDetector(), [noise(seed) for seed in range(40)])) == {""}


def test_equal_images_are_frozen_after_a_second() -> None:
    assert faults(FaultDetector(), [noise(1)] * 40, 0.05) == [""] * 20 + ["frozen"] * 20


def test_fewer_than_ten_equal_images_are_never_frozen() -> None:
    assert faults(FaultDetector(), [noise(1)] * 12, 5.0) == [""] * 9 + ["frozen"] * 3


@pytest.mark.parametrize("place", [(0, 0, 0), (719, 1279, 2), (360, 641, 1)])
def test_one_different_level_is_a_moving_image(place: tuple[int, int, int]) -> None:
    still = noise(1, HD)
    images = [still.copy() for _ in range(40)]
    for image in images[::2]:
        image[place] ^= 1

    assert set(faults(FaultDetector(), images)) == {""}


def test_first_different_image_is_good_again() -> None:
    assert faults(FaultDetector(), [noise(1)] * 20 + [noise(2)])[-2:] == ["frozen", ""]


def test_same_image_after_reopening_stays_frozen() -> None:
    detector = FaultDetector()
    faults(detector, [noise(1)] * 20)
    detector.accept_new_size()

    assert faults(detector, [noise(1)] * 3, begin=2.5) == ["frozen"] * 3


def test_patience_doubles_with_each_alarm_up_to_a_minute() -> None:
    detector = FaultDetector()
    runs = [faults(detector, [noise(seed)] * 1300, begin=seed * 130.0).index("frozen") for seed in range(9)]

    assert runs == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_patience_is_back_to_its_start_after_images_have_moved_for_a_while() -> None:
    detector = FaultDetector()
    faults(detector, [noise(1)] * 20)
    faults(detector, [noise(seed) for seed in range(2, 123)], begin=2)

    assert faults(detector, [noise(1)] * 20, begin=14.1).index("frozen") == 10


def test_patience_shrinks_as_it_grew() -> None:
    detector = FaultDetector()
    for number in range(3):
        faults(detector, [noise(number)] * 50, begin=number * 5.0)
    faults(detector, [noise(seed) for seed in range(3, 113)], begin=15)

    assert faults(detector, [noise(1)] * 50, begin=26).index("frozen") == 40


def test_patience_is_kept_between_two_still_scenes() -> None:
    detector = FaultDetector()
    for number in range(20):
        seen = faults(detector, [noise(number)] * 50 + [noise(seed) for seed in range(100, 150)], begin=number * 10.0)

    assert set(seen) == {""}


def test_eight_black_images_in_a_row_are_black() -> None:
    black = [np.full((48, 64, 3), level, np.uint8) for level in range(12)]

    assert faults(FaultDetector(), [noise(1), *black, noise(2)]) == [""] * 8 + ["black"] * 5 + [""]


def test_black_may_have_some_noise() -> None:
    black = [np.where(noise(seed) > 254, noise(seed), noise(seed) % 17).astype(np.uint8) for seed in range(12)]

    assert faults(FaultDetector(), black)[-1] == "black"


def test_dark_image_with_something_in_it_is_not_black() -> None:
    dark = [noise(seed) % 17 for seed in range(12)]
    for image in dark:
        image[:4] = 200

    assert set(faults(FaultDetector(), dark)) == {""}


def test_another_size_is_a_fault_until_the_camera_is_reopened() -> None:
    detector = FaultDetector()
    detector.check(noise(1), 0.0)
    fault = detector.check(noise(2, (24, 32, 3)), 0.1)
    detector.accept_new_size()

    assert "from 64x48 to 32x24" in fault
    assert detector.check(noise(3), 0.2) == ""


@pytest.mark.parametrize(
    ("what", "images"), [("black", [np.zeros((48, 64, 3), np.uint8)] * 99), ("frozen", [noise(1)] * 99)]
)
def test_accepted_fault_is_not_reported(what: str, images: list[Pixels]) -> None:
    assert set(faults(FaultDetector(accept=frozenset({what})), images)) == {""}
    assert what in faults(FaultDetector(), images)


def test_unknown_fault_to_accept_is_an_option_error() -> None:
    with pytest.raises(OptionError, match=r"black and frozen.*'blue'"):
        FaultDetector(accept=frozenset({"blue"}))


@pytest.mark.parametrize(
    ("name", "frozen_from"),
    [("webcam", 10), ("0", 10), ("rtsp://host/live", 50), ("HTTP://host/live", 50), ("screen", None), ("screen:2", None)],
)
def test_streams_have_more_patience_and_screens_are_never_frozen(name: str, frozen_from: int | None) -> None:
    seen = faults(fault_detector(name), [noise(1)] * 99)

    assert (seen.index("frozen") if "frozen" in seen else None) == frozen_from


def test_detector_keeps_only_one_image() -> None:
    detector, kept = FaultDetector(), []
    for seed in range(5):
        image = noise(seed)
        kept.append(weakref.ref(image))
        detector.check(image, seed)
        del image

    assert [reference() is not None for reference in kept] == [False] * 4 + [True]
