"""The answer is legible on images of any size and brightness."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.live.viewers.overlay import draw_overlay
from edgeclf.runtime.live.viewers.snapshot import Snapshot

Pixels = NDArray[np.uint8]
SCORES = (("defective", 0.75), ("functional", 0.25))
TEAL, SLATE = (0, 128, 118), (78, 88, 100)


def plain(height: int = 480, width: int = 640, level: int = 0) -> Pixels:
    image = np.full((height, width, 3), level, np.uint8)
    image.setflags(write=False)
    return image


def snapshot(image: Pixels) -> Snapshot:
    return Snapshot(
        source="webcam",
        image=image,
        label="defective",
        confidence=0.75,
        scores=SCORES,
        changed=False,
        fps=24.8,
        age_ms=43.0,
        time="2026-01-01T00:00:00Z",
    )


def changed(image: Pixels, drawn: Pixels) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the drawn area."""
    rows, columns = (image != drawn).any(axis=2).nonzero()
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_the_snapshots_image_is_unchanged() -> None:
    image = np.full((480, 640, 3), 200, np.uint8)

    drawn = draw_overlay(snapshot(image))

    assert (image == 200).all()
    assert not np.shares_memory(image, drawn)
    assert (drawn != 200).any()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_letters_are_legible_on_dark_and_bright_images(level: int) -> None:
    drawn = draw_overlay(snapshot(plain(level=level)))

    panel = drawn[12:180, 12:275]
    background = int(np.median(panel[..., 0]))
    assert background <= 80
    assert (panel.min(axis=2) >= 250).mean() > 0.01


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((120, 160), (480, 640)),
        ((240, 240), (480, 480)),
        ((480, 640), (480, 640)),
        ((2160, 3840), (2160, 3840)),
        ((20, 3000), (240, 3000)),
        ((3000, 20), (3000, 320)),
        ((1, 1), (480, 480)),
    ],
    ids=str,
)
def test_only_an_image_too_small_for_text_is_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert draw_overlay(snapshot(plain(*size))).shape == (*expected, 3)


def test_borders_are_added_evenly() -> None:
    drawn = draw_overlay(snapshot(plain(40, 1000, level=100)))

    assert drawn[:, 900, 0].tolist() == [0] * 100 + [100] * 40 + [0] * 100


def test_text_grows_with_the_image() -> None:
    small, large = plain(480, 640, 255), plain(1920, 2560, 255)

    _, bottom, _, right = changed(small, draw_overlay(snapshot(small)))
    _, bottom_4, _, right_4 = changed(large, draw_overlay(snapshot(large)))

    assert bottom_4 == pytest.approx(4 * bottom, rel=0.05)
    assert right_4 == pytest.approx(4 * right, rel=0.05)


def test_bars_are_proportional_to_their_scores() -> None:
    drawn = draw_overlay(snapshot(plain()))

    best, other = (np.ptp((drawn == colour).all(axis=2).any(axis=0).nonzero()[0]) + 1 for colour in (TEAL, SLATE))
    assert best / other == pytest.approx(3, rel=0.05)


def test_a_label_is_white_and_unsure_is_amber() -> None:
    title = slice(12, 45), slice(20, 150)

    assert draw_overlay(snapshot(plain()))[title].max(axis=(0, 1)).tolist() == [255, 255, 255]
    assert draw_overlay(replace(snapshot(plain()), label="unsure"))[title].max(axis=(0, 1)).tolist() == [255, 190, 60]


def test_trouble_is_a_red_band_that_disappears_afterwards() -> None:
    troubled = draw_overlay(replace(snapshot(plain()), trouble="the camera is unplugged; trying again"))

    red, green, _ = troubled[-5, 320].tolist()
    assert (red > 100, green < 50) == (True, True)
    assert (draw_overlay(snapshot(plain()))[400:] == 0).all()


def test_long_names_stay_within_the_panel() -> None:
    image = plain(level=200)
    long = replace(snapshot(image), label="W" * 500, scores=(("W" * 500, 0.9), ("i" * 500, 0.1)))

    assert changed(image, draw_overlay(long)) == changed(image, draw_overlay(snapshot(image)))


def test_a_long_name_does_not_cover_its_number() -> None:
    long = replace(snapshot(plain()), label="W" * 500)
    number = slice(12, 45), slice(215, 280)

    assert (draw_overlay(long)[number] == draw_overlay(snapshot(plain()))[number]).all()


def test_at_most_five_scores_are_drawn() -> None:
    image = plain(level=200)
    five = replace(snapshot(image), scores=tuple((str(number), 0.1) for number in range(5)))
    thousand = replace(snapshot(image), scores=tuple((str(number), 0.1) for number in range(1000)))

    assert (draw_overlay(five) == draw_overlay(thousand)).all()


def test_a_missing_answer_is_drawn_too() -> None:
    nothing = replace(snapshot(plain()), label="", confidence=0.0, scores=(), age_ms=None, fps=0.0)

    assert (draw_overlay(nothing) == 255).any()


def test_age_and_rate_are_drawn() -> None:
    assert (draw_overlay(snapshot(plain())) != draw_overlay(replace(snapshot(plain()), age_ms=44.0))).any()
    assert (draw_overlay(snapshot(plain())) != draw_overlay(replace(snapshot(plain()), fps=24.7))).any()


def test_no_name_crashes_the_process() -> None:
    # In a separate process: surrogates crash cv2.putText.
    program = """
import numpy as np
from edgeclf.runtime.live.viewers.overlay import draw_overlay
from edgeclf.runtime.live.viewers.snapshot import Snapshot
for name in ("\\udce9\\udcff", "\\ud83d", "a\\nb\\x00c\\x1b[31m", "\\U0001f600" * 99, "\\u202e\\u0301", "", "%s%n" * 9, " "):
    image = np.zeros((99, 99, 3), np.uint8)
    draw_overlay(Snapshot(source=name, image=image, label=name, confidence=0.5, scores=((name, 0.5),), changed=True, fps=1.0,
                          age_ms=1.0, time="", trouble=name))
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stdout == "alive\n", done.stderr
