"""A real regression is found; one that the spread of the rounds explains is not reported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeclf.benchmarks.bench.baseline import Baseline
from edgeclf.benchmarks.bench.report import BenchResult
from edgeclf.runtime.errors import OptionError
from tests.support.bench_reports import MACHINE, make_report, make_result


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Two models, at 200 and 400 images per second."""
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(make_report((make_result("a.onnx", 200), make_result("b.onnx", 400))).to_json()))
    return path


def now(rate: float, name: str = "a.onnx", **changes: Any) -> BenchResult:
    return make_result(name, rate, rates=(rate * 0.99, rate, rate * 1.01), **changes)


def test_a_regression_names_both_rates_and_the_limit(earlier: Path) -> None:
    (miss,) = Baseline(earlier).regressions([now(150), now(399, "b.onnx")], 0.1)
    assert miss.startswith("a.onnx (cpu, batch 1, 2 threads)")
    assert {"150.0", "25%", "200.0", "10%"} <= set(miss.replace(",", "").split())


@pytest.mark.parametrize("rate", [185, 200, 500], ids=["a little slower", "equally fast", "faster"])
def test_a_drop_within_the_limit_is_not_a_regression(earlier: Path, rate: float) -> None:
    assert Baseline(earlier).regressions([now(rate)], 0.1) == []


def test_a_drop_that_the_spread_of_the_rounds_explains_is_not_a_regression(earlier: Path) -> None:
    noisy = make_result("a.onnx", 170, rates=(120.0, 170.0, 210.0))
    assert Baseline(earlier).regressions([noisy], 0.1) == []


def test_an_automatic_batch_size_may_differ_from_the_earlier_run(earlier: Path) -> None:
    auto = make_report((make_result("a.onnx", 200, batch=4, auto_batch=True),))
    earlier.write_text(json.dumps(auto.to_json()))
    assert len(Baseline(earlier).regressions([now(100, batch=8, auto_batch=True)], 0.1)) == 1


@pytest.mark.parametrize("change", [{"threads": 1}, {"batch": 8}, {"device": "cuda:0"}], ids=["threads", "batch", "device"])
def test_another_configuration_is_not_compared(earlier: Path, change: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="none of these models in these configurations"):
        Baseline(earlier).regressions([now(10, **change)], 0.1)


def test_a_baseline_of_the_other_mode_is_refused(earlier: Path) -> None:
    with pytest.raises(OptionError, match="measured end to end"):
        Baseline(earlier).require_mode(end_to_end=False)


def test_differences_between_the_runs_become_notes(earlier: Path) -> None:
    notes = Baseline(earlier).notes([now(100), now(100, "new.onnx")], replace(MACHINE, processor="Other"), "others")
    assert "was measured on other images: 525 of 2,624 images" in notes[0]
    assert "was measured on another processor (Made-up(R) Processor)" in notes[1]
    assert notes[2] == f"not in {earlier}: new.onnx"
    assert notes[3] == f"in {earlier}, but not measured now: b.onnx"


def test_the_same_run_again_needs_no_note(earlier: Path) -> None:
    assert Baseline(earlier).notes([now(100), now(100, "b.onnx")], MACHINE, make_report().images) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mode": 1}', "\x00"], ids=["empty", "list", "no fields", "few", "binary"]
)
def test_any_other_file_is_refused_and_the_error_says_how_to_make_a_baseline(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(OptionError, match=r"x\.json is not a bench\.json .* -o DIR"):
        Baseline(tmp_path / "x.json")


def test_a_missing_baseline_is_an_option_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file"):
        Baseline(tmp_path / "absent.json")
