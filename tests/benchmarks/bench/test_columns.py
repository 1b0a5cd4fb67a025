"""The cells that the terminal, the Markdown and the page share."""

from dataclasses import replace

import pytest

from edgeclf.benchmarks.bench.columns import answers, by_round, cost, in_common, labels, names, number, size, speed
from tests.support.bench_reports import make_report, make_row, mixed_rows, usual_rows, without_accuracy


def test_only_that_in_which_arrangements_differ_stands_beside_a_file() -> None:
    assert list(names(usual_rows())) == ["file"]
    assert list(names(mixed_rows())) == ["file", "device", "batch", "threads"]


def test_what_all_arrangements_have_in_common_is_told_once() -> None:
    assert in_common(usual_rows()) == "cpu, batch 1, 2 threads"
    assert in_common(mixed_rows()) == ""


def test_a_label_is_spelt_as_a_row_spells_its_arrangement() -> None:
    assert labels(mixed_rows()) == [(row.name, row.arrangement) for row in mixed_rows()]
    assert labels([make_row(), make_row(threads=1)]) == [("model.onnx", "2 threads"), ("model.onnx", "1 thread")]


def test_a_batch_that_was_found_is_told_from_the_same_one_asked_for() -> None:
    rows = [make_row(batch=8), make_row(batch=8, auto_batch=True)]
    assert names(rows)["batch"] == ["8", "8 (auto)"]


def test_a_file_in_two_engines_names_them() -> None:
    assert names([make_row(), make_row(engine="other 1.0")])["engine"] == ["onnxruntime 1.31.1", "other 1.0"]


def test_the_first_row_is_what_the_others_are_compared_with() -> None:
    assert speed(make_report())["times as fast"][:2] == ["1", "1.02 (1.00 to 1.06)"]


def test_the_verdict_names_the_one_to_ship_and_those_that_nothing_beats() -> None:
    assert speed(make_report())["verdict"] == ["best", "", "", "ship", "best", ""]


def test_a_reference_apart_stands_behind_the_rows() -> None:
    assert answers(make_report())["file"][-1] == "model.keras"
    assert cost(make_report())["cold start"][-1] == "7.90 s"


def test_a_reference_among_the_rows_stands_there_only() -> None:
    report = make_report()
    assert report.reference is not None
    among = replace(report, reference=replace(report.reference, name="model.onnx"))
    assert answers(among)["file"] == cost(among)["file"] == [row.name for row in report.rows]


def test_all_columns_are_of_one_length() -> None:
    report = make_report(mixed_rows())
    for columns, length in ((speed(report), 4), (answers(report), 5), (cost(report), 5), (by_round(report), 4)):
        assert {len(cells) for cells in columns.values()} == {length}


def test_a_column_without_anything_to_tell_is_left_out() -> None:
    rows = tuple(replace(row, limits=(), of_limit=None, memory_bytes=None, accuracy=None) for row in usual_rows())
    report = make_report(rows, reference=None, ship=None)
    assert "of the limit" not in speed(report)
    assert "peak memory" not in cost(report)
    assert list(by_round(report)) == ["file", "round 1", "round 2", "round 3"]


def test_without_labels_nothing_is_told_of_accuracy() -> None:
    assert answers(without_accuracy(make_report())) == {}


@pytest.mark.parametrize(
    ("value", "text"), [(0.0312, "0.0312"), (4.5, "4.50"), (98.76, "98.8"), (99.96, "100"), (12345.6, "12,346")]
)
def test_a_number_has_three_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("count", "text"), [(None, ""), (4_700_000, "4.70 MB"), (1_250_000_000, "1.25 GB")])
def test_a_size_is_told_in_megabytes_or_gigabytes(count: int | None, text: str) -> None:
    assert size(count) == text


def test_no_difference_is_a_plain_nought() -> None:
    assert answers(make_report())["largest difference"][-2:] == ["3.1e-07", "0"]
