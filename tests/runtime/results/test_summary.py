"""The summary counts every outcome once, and shows names so that they cannot harm a terminal."""

import pytest

from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.summary import Summary


def answer(label: str) -> Row:
    return Row("x.jpg", "ok", label, 0.9)


@pytest.fixture
def summary() -> Summary:
    counted = Summary("an engine, 2 workers")
    counted.add(answer("cat"))
    counted.add(answer("cat"))
    counted.add(answer("dog"))
    counted.add(Row("y.jpg", "error", error="empty", detail="0 bytes"))
    counted.classified_now, counted.elapsed_s, counted.skipped = 4, 2.0, 5
    return counted


def test_answers_and_failures_are_counted_apart(summary: Summary) -> None:
    assert (dict(summary.labels), dict(summary.failures), summary.total) == ({"cat": 2, "dog": 1}, {"empty": 1}, 4)


def test_the_table_goes_to_stderr(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    summary.show()

    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split() for line in shown.err.splitlines()[1:4]] == [
        ["cat", "2", "50.0%"],
        ["dog", "1", "25.0%"],
        ["error:", "empty", "1", "25.0%"],
    ]


def test_the_last_line_has_the_count_the_rate_and_the_setting(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    summary.show()

    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "4 images in 2.0 s, 2.0 images/s (an engine, 2 workers); 5 other files skipped"


def test_the_rate_ignores_rows_of_earlier_runs(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    summary.classified_now = 1

    summary.show()

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("4 images, 1 of them in this run, in 2.0 s, 0.5 images/s (an engine, 2 workers)")


def test_unsure_rows_are_neither_answers_nor_failures(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    summary.add(Row("z.jpg", "unsure", confidence=0.4))

    summary.show()

    assert (summary.total, summary.to_json()["unsure"]) == (5, 1)
    assert ["(unsure)", "1", "20.0%"] in [line.split() for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("label", ["\x1b[31mred", "two\nlines", "[bold]markup[/bold]", "[/]"])
def test_control_characters_and_markup_in_a_label_are_shown_as_text(label: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("an engine")
    summary.add(answer(label))

    summary.show()

    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert label.replace("\n", "\\n").replace("\x1b", "\\x1b") in shown


def test_an_empty_summary_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Summary("an engine").show()

    assert "0 images" in capsys.readouterr().err
