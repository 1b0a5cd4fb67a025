"""Two runs of `clf-bench` are compared, and both recommendations quoted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeclf.benchmarks.bench.report import Interval
from edgeclf.benchmarks.shipping import command, compare
from edgeclf.runtime.errors import EdgeclfError
from tests.support.bench_reports import make_report, make_result


def bench_json(ratio: Interval) -> dict[str, Any]:
    """The JSON of `clf-bench` for two models."""
    results = (make_result("model.onnx"), make_result("model.int8.tflite", 400, ratio=ratio))
    return make_report(results, because=f"ship model.int8.tflite, {ratio}").to_json()


def test_intervals_that_meet_overlap() -> None:
    text = compare(bench_json(Interval(1.8, 1.9, 2.0)), bench_json(Interval(1.95, 2.0, 2.1)))
    assert "| 1.90 (1.80 to 2.00) | 2.00 (1.95 to 2.10) | yes |" in text


def test_intervals_apart_do_not_overlap() -> None:
    text = compare(bench_json(Interval(1.8, 1.9, 2.0)), bench_json(Interval(2.05, 2.1, 2.2)))
    assert "| 1.90 (1.80 to 2.00) | 2.10 (2.05 to 2.20) | no |" in text


def test_both_recommendations_are_quoted_and_the_cold_start_is_compared_with_keras() -> None:
    text = compare(bench_json(Interval(1.8, 1.9, 2.0)), bench_json(Interval(1.9, 1.9, 1.9)))
    assert "First run: ship model.int8.tflite, 1.90 (1.80 to 2.00)." in text
    assert "Second run: ship model.int8.tflite, 1.90." in text
    # 0.63 s against 9.94 s, 95 MB against 584 MB: see bench_reports.py
    assert text.endswith("6.3% of the processor time and 16.3% of the memory.\n")


def test_memory_is_left_out_if_the_system_does_not_report_it() -> None:
    report = make_report()
    results = tuple(replace(each, cold_start=replace(each.cold_start, memory_bytes=None)) for each in report.results)
    unknown = replace(report, results=results).to_json()
    text = compare(unknown, unknown)
    assert text.endswith("6.3% of the processor time.\n")


def test_a_command_that_fails_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EdgeclfError, match="clf-bench failed with exit code 2"):
        command(["clf-bench", str(tmp_path / "absent.onnx")])
    assert "absent.onnx" in capfd.readouterr().err
