"""A regression is found where there is one, and is not where the rounds' spread explains it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeclf.benchmarks.bench.baseline import Baseline
from edgeclf.benchmarks.bench.report import Row
from edgeclf.runtime.errors import OptionError
from tests.support.bench_reports import MACHINE, make_report, make_row


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Two models, at 200 and 400 images a second."""
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(make_report((make_row("a.onnx", 200), make_row("b.onnx", 400))).to_json()))
    return path


def now(rate: float, name: str = "a.onnx", **changes: Any) -> Row:
    return make_row(name, rate, rates=(rate * 0.99, rate, rate * 1.01), **changes)


def test_what_is_slower_is_named_with_both_rates(earlier: Path) -> None:
    (miss,) = Baseline(earlier).regressions([now(150), now(399, "b.onnx")], 0.1)
    assert miss.startswith("a.onnx (cpu, batch 1, 2 threads) does 150.0 images a second, 25% less than the 200.0 of ")
    assert miss.endswith("the limit is 10%")


@pytest.mark.parametrize("rate", [185, 200, 500], ids=["a little slower", "as fast", "faster"])
def test_what_is_within_the_limit_is_no_regression(earlier: Path, rate: float) -> None:
    assert Baseline(earlier).regressions([now(rate)], 0.1) == []


def test_a_drop_that_the_spread_explains_is_no_regression(earlier: Path) -> None:
    noisy = make_row("a.onnx", 170, rates=(120.0, 170.0, 210.0))
    assert Baseline(earlier).regressions([noisy], 0.1) == []


def test_a_batch_that_was_found_may_be_another_one_now(earlier: Path) -> None:
    auto = replace(make_report((make_row("a.onnx", 200, batch=4, auto_batch=True),)))
    earlier.write_text(json.dumps(auto.to_json()))
    assert len(Baseline(earlier).regressions([now(100, batch=8, auto_batch=True)], 0.1)) == 1


@pytest.mark.parametrize("change", [{"threads": 1}, {"batch": 8}, {"device": "cuda:0"}], ids=["threads", "batch", "device"])
def test_another_arrangement_is_not_compared(earlier: Path, change: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="knows none of these models in these arrangements"):
        Baseline(earlier).regressions([now(10, **change)], 0.1)


def test_another_measure_is_not_compared(earlier: Path) -> None:
    with pytest.raises(OptionError, match="measured end to end; measure the same"):
        Baseline(earlier).check(end_to_end=False)


def test_what_is_not_the_same_is_mentioned(earlier: Path) -> None:
    notes = Baseline(earlier).notes([now(100), now(100, "new.onnx")], replace(MACHINE, processor="Other"), "others")
    assert "was measured on other images: 525 of 2,624 images" in notes[0]
    assert "was measured on another processor (Made-up(R) Processor)" in notes[1]
    assert notes[2].endswith("does not know new.onnx")
    assert notes[3] == f"not measured this time: b.onnx of {earlier}"


def test_the_same_again_needs_no_note(earlier: Path) -> None:
    assert Baseline(earlier).notes([now(100), now(100, "b.onnx")], MACHINE, make_report().images) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mode": 1}', "\x00"], ids=["empty", "list", "no fields", "few", "binary"]
)
def test_a_file_that_is_no_baseline_says_how_to_make_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(OptionError, match=r"is no bench\.json of clf-bench .*; make one with -o DIR"):
        Baseline(tmp_path / "x.json")


def test_a_baseline_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file"):
        Baseline(tmp_path / "absent.json")
