"""The overhead is a ratio within a round, and large runs are estimated from the figures of a small one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from edgeclf.benchmarks import results, scaling, sizing
from edgeclf.benchmarks.scaling import report
from edgeclf.benchmarks.sizing import PlannedRun
from tests.conftest import Invoke

RATES = ("clf-run, whole command", "clf-run --ray, whole command")
ROWS = ("clf-run, row to row", "clf-run --ray, row to row")


def test_the_overhead_is_a_ratio_within_a_round_for_both_clocks() -> None:
    rounds = ((100.0, 50.0, 200.0, 180.0), (300.0, 240.0, 400.0, 400.0), (200.0, 120.0, 300.0, 285.0))
    text = report([dict(zip((*RATES, *ROWS), rates, strict=True)) for rates in rounds])
    assert "| whole command | 200 | 120 | 0.60 (0.55 to 0.70) |" in text
    assert "| row to row | 300 | 285 | 0.95 (0.93 to 0.97) |" in text


def make_run(images: int = 10**8, cores: int = 100, rate: float = 200, handed_out: float = 40_000) -> PlannedRun:
    return PlannedRun(images, cores, rate, 50_000, handed_out)


def test_a_run_takes_the_time_of_its_cores_plus_the_start() -> None:
    assert make_run().hours == pytest.approx((10**8 / (100 * 200) + 20) / 3600)


def test_the_network_carries_what_the_cores_read() -> None:
    assert make_run().gbit_s == pytest.approx(100 * 200 * 50_000 * 8 / 1e9)


def test_each_image_is_two_requests_and_each_prefix_gives_5500() -> None:
    assert make_run(cores=13).prefixes == 1
    assert make_run(cores=14).prefixes == 2


def test_the_number_of_runs_keeps_up_with_the_cores() -> None:
    assert make_run(cores=25).runs == 1
    assert make_run(cores=100).runs == 4
    assert make_run(cores=100, handed_out=1000).runs == 20


def test_requests_are_two_gets_two_listings_and_the_parts() -> None:
    assert make_run(images=4096 * 1000).requests_usd == pytest.approx(
        4096 * 2 * 0.0004 + 4.096 * 2 * 0.005 + 0.005
    )  # prices are per thousand


@pytest.mark.parametrize(
    ("cores", "first"),
    [
        (10, []),
        (20, ["one prefix"]),
        (30, ["one prefix", "listing"]),
        (1000, ["one prefix", "listing", "the command"]),
    ],
    ids=str,
)
def test_limits_below_the_speed_of_the_cores_are_named_lowest_first(cores: int, first: list[str]) -> None:
    assert make_run(cores=cores).saturated == first


def test_the_tables_of_the_documentation_are_what_the_command_prints(in_process: Callable[[typer.Typer], Invoke]) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "scale.md").read_text("utf-8")
    for arguments in (("195", "41000"), ("24", "2500000")):
        printed = in_process(sizing.app)(*arguments)
        assert printed.exit_code == 0
        assert f"`python -m edgeclf.benchmarks.sizing {' '.join(arguments)}`" in text
        assert printed.stdout in text


def test_the_price_of_a_core_can_be_given(in_process: Callable[[typer.Typer], Invoke]) -> None:
    printed = in_process(sizing.app)("100", "1", "--core-hour", "3.6")
    assert "| 1,000,000,000 | 10 | 11.6 days | 0.0 | 1 | 1 | 140.0 GB | $10,000.20 |" in printed.stdout


def test_the_machine_that_runs_the_command_is_measured(tmp_path: Path) -> None:
    scaling.write_images(tmp_path, 3)
    from edgeclf.benchmarks.driver import write_parts

    write_parts(tmp_path / "parts", 5000)
    line = [sys.executable, "-m", "edgeclf.benchmarks.driver", str(tmp_path)]
    measured = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    assert {name: value.endswith("/s") for name, value in measured.items()} == {
        "images listed, with sizes and times": True,
        "listed, looked up, and packed in portions": True,
        "all rows loaded before a run": False,
        "all rows counted after it": False,
    }


@pytest.mark.exhaustive
@pytest.mark.usefixtures("in_process")  # for its settings
def test_the_command_writes_its_section(tmp_path: Path, onnx_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.md")

    scaling.scaling(images=300, rounds=1, rows=10_000, model=onnx_model)

    text = (tmp_path / "results.md").read_text()
    assert "## Many machines" in text
    assert "300 generated JPEGs of 500 x 375" in text
    assert text.count("| whole command |") == text.count("| row to row |") == 1
    assert "images per second and core" in text
    assert "| a row in a part |" in text
