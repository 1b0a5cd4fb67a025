"""The cells that the terminal, the Markdown and the page share."""

from dataclasses import replace

import pytest

from edgeclf.benchmarks.bench.columns import (
    accuracy_columns,
    cost_columns,
    display_names,
    name_columns,
    number,
    round_columns,
    shared_configuration,
    size,
    speed_columns,
)
from tests.support.bench_reports import make_report, make_result, mixed_results, usual_results, without_accuracy


def test_only_the_differing_parts_of_the_configuration_have_columns() -> None:
    assert list(name_columns(usual_results())) == ["file"]
    assert list(name_columns(mixed_results())) == ["file", "device", "batch", "threads"]


def test_the_shared_part_of_the_configuration_is_text() -> None:
    assert shared_configuration(usual_results()) == "cpu, batch 1, 2 threads"
    assert shared_configuration(mixed_results()) == ""


def test_a_display_name_uses_the_words_of_the_configuration() -> None:
    assert display_names(mixed_results()) == [(each.name, each.configuration) for each in mixed_results()]
    assert display_names([make_result(), make_result(threads=1)]) == [
        ("model.onnx", "2 threads"),
        ("model.onnx", "1 thread"),
    ]


def test_an_automatic_batch_size_is_marked_if_others_were_given() -> None:
    results = [make_result(batch=8), make_result(batch=8, auto_batch=True)]
    assert name_columns(results)["batch"] == ["8", "8 (auto)"]


def test_a_file_that_ran_in_two_engines_shows_them() -> None:
    assert name_columns([make_result(), make_result(engine="other 1.0")])["engine"] == ["onnxruntime 1.31.1", "other 1.0"]


def test_speeds_are_compared_with_the_first_row() -> None:
    assert speed_columns(make_report())["times as fast"][:2] == ["1", "1.02 (1.00 to 1.06)"]


def test_the_choice_marks_the_recommended_and_the_pareto_optimal_results() -> None:
    assert speed_columns(make_report())["choice"] == ["Pareto", "", "", "ship", "Pareto", ""]


def test_a_separate_reference_model_is_the_last_row() -> None:
    assert accuracy_columns(make_report())["file"][-1] == "model.keras"
    assert cost_columns(make_report())["cold start"][-1] == "7.90 s"


def test_a_reference_model_among_the_results_has_one_row() -> None:
    report = make_report()
    assert report.reference is not None
    among = replace(report, reference=replace(report.reference, name="model.onnx"))
    assert accuracy_columns(among)["file"] == cost_columns(among)["file"] == [each.name for each in report.results]


def test_all_columns_have_the_same_length() -> None:
    report = make_report(mixed_results())
    for columns, length in (
        (speed_columns(report), 4),
        (accuracy_columns(report), 5),
        (cost_columns(report), 5),
        (round_columns(report), 4),
    ):
        assert {len(cells) for cells in columns.values()} == {length}


def test_an_empty_column_is_left_out() -> None:
    results = tuple(replace(each, limits=(), of_limit=None, memory_bytes=None, accuracy=None) for each in usual_results())
    report = make_report(results, reference=None, ship=None)
    assert "of the limit" not in speed_columns(report)
    assert "peak memory" not in cost_columns(report)
    assert list(round_columns(report)) == ["file", "round 1", "round 2", "round 3"]


def test_without_labels_there_are_no_accuracy_columns() -> None:
    assert accuracy_columns(without_accuracy(make_report())) == {}


@pytest.mark.parametrize(
    ("value", "text"), [(0.0312, "0.0312"), (4.5, "4.50"), (98.76, "98.8"), (99.96, "100"), (12345.6, "12,346")]
)
def test_a_number_has_three_digits_or_all_digits_before_the_point(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("count", "text"), [(None, ""), (4_700_000, "4.70 MB"), (1_250_000_000, "1.25 GB")])
def test_a_size_is_in_megabytes_or_gigabytes(count: int | None, text: str) -> None:
    assert size(count) == text


def test_no_difference_is_a_plain_zero() -> None:
    assert accuracy_columns(make_report())["largest difference"][-2:] == ["3.1e-07", "0"]
