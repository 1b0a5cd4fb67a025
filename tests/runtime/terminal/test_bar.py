"""On one terminal with a progress bar, everything that is printed has lines of its own: real commands on a real terminal."""

import re
from pathlib import Path

import pytest

from edgeclf.runtime.terminal.progress import Progress
from tests.support.terminal import Screen, run_in_terminal, shown_in_terminal

each_width = pytest.mark.parametrize("columns", [60, 80])
COUNT = 40


@pytest.fixture
def photos(tmp_path: Path, png: bytes) -> list[str]:
    """The names of images in a folder; one of them is broken."""
    (tmp_path / "photos").mkdir()
    names = [f"{number:03} of a day on the river.png" for number in range(COUNT)]
    for name in names:
        (tmp_path / "photos" / name).write_bytes(png if name != names[7] else b"")
    return names


@each_width
def test_each_answer_and_each_note_is_a_line_of_its_own(
    columns: int, photos: list[str], colour_model: Path, tmp_path: Path
) -> None:
    code, sent = run_in_terminal(["clf-run", colour_model, "-s", "photos"], columns, tmp_path)

    screen = Screen(sent, columns)
    assert code == 1
    assert [line.partition(".png ")[0] + ".png" for line in screen.lines[:COUNT]] == [f"photos/{name}" for name in photos]
    assert screen.lines[COUNT].startswith("class ")
    assert any("classifying" in line and "━" in line for line in screen.seen)
    assert not any("━" in line for line in screen.lines)


@each_width
def test_the_bar_fits_and_has_its_numbers(columns: int, photos: list[str], colour_model: Path, tmp_path: Path) -> None:
    _, sent = run_in_terminal(["clf-run", colour_model, "-s", "photos"], columns, tmp_path)

    bars = [line for line in Screen(sent, columns).seen if "━" in line]
    assert max(map(len, bars)) < columns
    assert re.fullmatch(rf"classifying  ━+─*  \d+/{COUNT}( images)?  [\d.,]+ images/s  \d+:\d\d left", bars[-1])


LIBRARY = """
import logging, sys, warnings
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.streams import take_over_streams

take_over_streams()
handler = logging.StreamHandler(sys.stderr)
with Progress("reading", 3) as progress:
    progress.advance()
    warnings.showwarning("old", UserWarning, "library.py", 1)
    handler.emit(logging.makeLogRecord({"msg": "logged"}))
    print("to stdout")
    print("begun ", end="", flush=True)
    progress.advance()
    print("and ended")
    note("said")
    progress.advance()
"""


def test_warnings_logs_and_prints_of_libraries_have_lines_of_their_own(tmp_path: Path) -> None:
    code, sent = run_in_terminal(["python", "-c", LIBRARY], 80, tmp_path)

    screen = Screen(sent, 80)
    assert (code, screen.lines) == (
        0,
        ["library.py:1: UserWarning: old", "logged", "to stdout", "begun and ended", "said", ""],
    )
    assert any("3/3" in line for line in screen.seen)


def test_an_inner_bar_takes_the_place_of_the_outer_one_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with Progress("outer", 2, "round") as outer:
            with Progress("inner", 2) as inner:
                inner.advance()
                outer.advance()
            outer.advance()

    screen = Screen(shown_in_terminal(work, 80, monkeypatch), 80)
    names = [line.split()[0] for line in screen.seen if line]
    assert [name for name, before in zip(names, ["", *names], strict=False) if name != before] == ["outer", "inner", "outer"]
    assert screen.lines == [""]


@pytest.mark.parametrize(("columns", "shows_detail"), [(60, False), (80, False), (120, True)])
def test_the_detail_is_shown_only_if_room_is_left(columns: int, shows_detail: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with Progress("calibrating (percentile)", 120_000) as progress:
            progress.advance(60_000, "loss 0.019, accuracy 99.1%")
            progress.advance(60_000)

    bars = [line for line in Screen(shown_in_terminal(work, columns, monkeypatch), columns).seen if "━" in line]
    assert max(map(len, bars)) < columns
    assert all(re.search(r"120,000/120,000( images)?  [\d,]+( images)?/s  0:00 left", bar) for bar in bars[-1:])
    assert ("accuracy 99.1%" in bars[-1]) is shows_detail
