"""The screenshots in the README: small, with words for those who do not see them, and made of what a terminal shows."""

import re
from pathlib import Path

import numpy as np

from edgeclf.benchmarks.fabrics import LABELS, draw_fabric
from edgeclf.benchmarks.screenshots import as_shown, without_epochs, write_svg

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"


def test_screenshots_are_small_and_each_is_shown_with_words_for_it() -> None:
    shown = dict(re.findall(r"!\[(.+?)\]\(docs/images/(.+?)\)", (ROOT / "README.md").read_text("utf-8")))

    assert sorted(shown.values()) == sorted(path.name for path in IMAGES.iterdir())
    assert all(len(words) > 30 for words in shown)
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < 400_000


def test_the_terminal_is_text_and_loads_nothing() -> None:
    svg = (IMAGES / "terminal.svg").read_text("utf-8")

    assert "clf-train&#160;fabrics" in svg
    assert re.findall(r"url\((?!#)[^)]*\)|@import|@font-face|<image", svg) == []
    assert re.findall(r"/(?:home|root|tmp|work)/\S+", svg) == []


def test_a_line_is_what_stays_after_the_progress_bar(tmp_path: Path) -> None:
    written = "first\r\n\r 10 % done\x1b[K\r\r\x1b[K\x1b[1mlast\x1b[0m\r\n\r 20 %\x1b[K\r"

    write_svg([("clf-run a.onnx", written)], tmp_path / "t.svg")

    assert [as_shown(line) for line in written.split("\n")] == ["first", "\x1b[1mlast\x1b[0m", ""]
    svg = (tmp_path / "t.svg").read_text("utf-8")
    assert ("last" in svg, "done" in svg, "clf-run&#160;a.onnx" in svg) == (True, False, True)


def test_dots_stand_for_the_epochs_between_the_first_and_the_last() -> None:
    epochs = [f"epoch {number}/9: loss" for number in range(1, 10)]

    assert without_epochs(["a", *epochs, "b", *epochs[:2]]) == ["a", epochs[0], "...", epochs[-1], "b", *epochs[:2]]


def test_fabrics_are_the_same_each_time_and_different_from_each_other() -> None:
    images = [draw_fabric(label, 1) for label in LABELS]

    assert {image.shape for image in images} == {(240, 320, 3)}
    assert np.array_equal(images[0], draw_fabric(LABELS[0], 1))
    assert len({image.tobytes() for image in images}) == len(LABELS)
