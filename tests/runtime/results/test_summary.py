"""The summary counts every outcome once and shows names that cannot harm a terminal."""

import numpy as np
import pytest

from edgeclf.runtime import Outcome, Prediction
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.model.prediction import Failure
from edgeclf.runtime.results.summary import Summary


def answer(label: str) -> Outcome:
    return Outcome(Frame("x.jpg", b""), Prediction((label, "other"), np.array([0.9, 0.1], np.float32)))


@pytest.fixture
def summary() -> Summary:
    counted = Summary("an engine, 2 workers")
    counted.add(answer("cat"))
    counted.add(answer("cat"))
    counted.add(answer("dog"))
    counted.add(Outcome(Frame("y.jpg", b""), Failure(Reason.EMPTY, "0 bytes")))
    counted.finish(2.0, 5)
    return counted


def test_answers_and_failures_are_counted_apart(summary: Summary) -> None:
    assert (dict(summary.labels), dict(summary.failures), summary.total) == ({"cat": 2, "dog": 1}, {"empty": 1}, 4)


def test_table_goes_to_stderr(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    summary.show()

    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split() for line in shown.err.splitlines()[1:4]] == [
        ["cat", "2", "50.0%"],
        ["dog", "1", "25.0%"],
        ["error:", "empty", "1", "25.0%"],
    ]


def test_last_line_says_how_many_how_fast_and_by_what(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    summary.show()

    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "4 pictures in 2.0 s, 2 pictures/s (an engine, 2 workers); 5 other files skipped"


@pytest.mark.parametrize("label", ["\x1b[31mred", "two\nlines", "[bold]markup[/bold]", "[/]"])
def test_label_is_shown_as_it_is_spelt(label: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("an engine")
    summary.add(answer(label))

    summary.show()

    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert label.replace("\n", "\\n").replace("\x1b", "\\x1b") in shown


def test_summary_of_nothing_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("an engine")
    summary.finish(0.0, 0)

    summary.show()

    assert "0 pictures" in capsys.readouterr().err
