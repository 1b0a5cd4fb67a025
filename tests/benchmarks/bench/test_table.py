"""Tables that fit a terminal, the same as Markdown, and the recommendation."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from edgeclf.benchmarks.bench.report import Report
from edgeclf.benchmarks.bench.table import markdown, show
from tests.support.bench_reports import make_report, make_result, mixed_results, usual_results, without_accuracy

HOSTILE = "a|b<i>*c*\n[bold]\x1b[31m`.onnx"


Lines = Callable[[Report], list[str]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """`lines(report)` is what `show` prints to stderr; it prints nothing to stdout."""

    def printed(report: Report) -> list[str]:
        show(report)
        found = capsys.readouterr()
        assert found.out == ""
        return found.err.splitlines()

    return printed


def tables(lines: list[str]) -> list[str]:
    """The lines of both tables."""
    return lines[: len(lines) - lines[::-1].index("")]


REPORTS = {
    "usual": make_report(),
    "eight rows": make_report((*usual_results(), make_result("model.fp16.onnx"), make_result("model.dynamic.tflite"))),
    "everything differs": make_report(mixed_results()),
    "fast": make_report((make_result(rate=98_765.4), make_result("model.int16x8.tflite", 123_456.7, threads=1))),
    "no labels": without_accuracy(make_report()),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_tables_fit_a_terminal_of_100_columns_with_one_line_per_row(report: Report, lines: Lines) -> None:
    printed = tables(lines(report))
    assert max(map(len, printed)) <= 100
    names = {result.name for result in report.results}
    assert sum(line.split(" ")[0] in names for line in printed) == 2 * len(report.results)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_most_important_columns_are_always_there(report: Report, lines: Lines) -> None:
    printed = " ".join(" ".join(tables(lines(report))).split())
    headings = {"images/s", "times as", "of the", "choice", "peak", "size", "cold"}
    assert {heading for heading in headings if heading not in printed} == set()


def test_intervals_and_differences_are_shown_if_there_is_room(lines: Lines) -> None:
    printed = "\n".join(tables(lines(make_report())))
    assert {"92.2% to 96.1%", "3.1e-07", "99.62%", "2.10 (2.05 to 2.16)"} <= set(re.split(r" {2,}|\n", printed))


def test_the_last_lines_are_the_missed_gates_and_the_recommendation(lines: Lines) -> None:
    report = make_report(notes=("a note",), misses=("one", "another"))
    assert lines(report)[-3:] == ["gate missed: one", "gate missed: another", report.because]


def test_the_machine_the_images_and_the_notes_are_printed(lines: Lines) -> None:
    report = make_report(notes=("a note",))
    assert {str(report.machine), report.images, "a note"} <= set(lines(report))


def test_the_recommended_result_is_bold_and_green_and_pareto_optimal_ones_are_green(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    printed = "\n".join(lines(make_report()))
    styles = {name: style for style, name in re.findall(r"^\x1b\[([\d;]*)m(model\S+)", printed, re.MULTILINE)}
    assert styles == {"model.int8.tflite": "1;32", "model.onnx": "32", "model.fp16.tflite": "32"}


def test_a_name_from_outside_stays_text(lines: Lines) -> None:
    printed = "\n".join(lines(make_report((make_result(HOSTILE),), reference=None)))
    assert "\x1b" not in printed
    assert "[bold]" in printed


def test_markdown_begins_with_the_recommendation() -> None:
    report = make_report()
    assert markdown(report).startswith(f"## clf-bench\n\n**{report.because}**\n\n| file | images/s |")


def test_markdown_marks_the_recommended_result_in_every_table() -> None:
    assert markdown(make_report()).count("\n| **model.int8.tflite** | ") == 3


def test_markdown_has_all_figures_misses_and_notes() -> None:
    text = markdown(make_report(misses=("a miss",), notes=("a note",)))
    assert {"- gate missed: a miss", "- a note"} <= set(text.splitlines())
    assert not [
        heading for heading in ("p90 ms", "95 % interval", "cold-start CPU", "cold-start memory") if heading not in text
    ]


def test_markdown_without_labels_has_two_tables() -> None:
    assert markdown(without_accuracy(make_report())).count("| --- |") == 2


def test_every_row_of_a_markdown_table_has_the_same_number_of_cells() -> None:
    report = make_report((make_result(HOSTILE), make_result("b|c")), reference=None)
    rows = [line for line in markdown(report).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9, 6, 7}


def test_names_are_not_read_as_markup_in_markdown() -> None:
    report = replace(make_report((make_result(HOSTILE),)), because=HOSTILE, ship=None)
    text = markdown(report)
    assert re.findall(r"(?<!\\)[<`\[]", text) == []
    assert r"**a\|b\<i\>\*c\*\\n\[bold\]\\x1b\[31m\`.onnx**" in text


def test_an_underscore_inside_a_name_is_not_escaped() -> None:
    assert "| solar_cells.onnx |" in markdown(make_report((make_result("solar_cells.onnx"), make_result())))
