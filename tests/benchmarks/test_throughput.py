"""The throughput benchmark reports its measurements, and refuses options that it cannot measure."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from edgeclf.benchmarks import results, throughput
from edgeclf.benchmarks.peers import registry
from edgeclf.benchmarks.peers.full_decode import full_decode
from edgeclf.benchmarks.peers.registry import APPEND, LITERT, PIPELINE, READ_BACK
from edgeclf.benchmarks.peers.rounds import Peer
from edgeclf.benchmarks.photographs import enlarged, photograph
from edgeclf.benchmarks.throughput import CNN, app, journal_cost, report
from edgeclf.runtime.images.preprocess import Preprocess
from tests.conftest import Invoke


def test_ratios_are_taken_within_a_round() -> None:
    rates = ((100.0, 50.0, 50.0), (300.0, 200.0, 100.0), (200.0, 100.0, 50.0))
    measured = [{PIPELINE: ours, LITERT: litert, "slow": slow} for ours, litert, slow in rates]
    assert "| slow | 50 | 3.00 (2.50 to 3.50) | 2.00 (1.50 to 2.00) |" in report(measured, [PIPELINE, LITERT, "slow"])


def test_a_slow_rate_keeps_a_digit() -> None:
    measured = [{PIPELINE: 40.0, LITERT: 41.2, "slow": 5.26}]
    assert "| slow | 5.3 | 7.60" in report(measured, [PIPELINE, LITERT, "slow"])


def test_the_cost_of_the_journal_is_a_share_of_the_time_per_image() -> None:
    sentence = journal_cost([{PIPELINE: 500.0, APPEND: 100_000.0, READ_BACK: 200_000.0}])
    assert "10 us, 0.50% (0.50% to 0.50%)" in sentence
    assert "5 us, 0.25% (0.25% to 0.25%)" in sentence


def test_full_decode_is_opencvs_bilinear_over_every_pixel() -> None:
    pixels = photograph(600, 800, seed=0)
    full = full_decode(Preprocess((96, 128)))
    np.testing.assert_array_equal(full(pixels), cv2.resize(pixels, (128, 96), interpolation=cv2.INTER_LINEAR))


def test_an_enlarged_image_has_the_requested_size_and_the_same_aspect_ratio() -> None:
    data = bytes(cv2.imencode(".png", photograph(60, 80, seed=0))[1])
    large = cv2.imdecode(np.frombuffer(enlarged(data, 4800 * 25), np.uint8), cv2.IMREAD_COLOR)
    assert large is not None
    assert large.shape == (300, 400, 3)


@pytest.mark.parametrize("flag", ["--run", "--data"])
def test_a_trained_model_and_labelled_images_need_each_other(
    flag: str, tmp_path: Path, in_process: Callable[[typer.Typer], Invoke]
) -> None:
    result = in_process(app)(flag, tmp_path)
    assert result.exit_code == 2
    assert "--run and --data" in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")  # for its settings; child processes need a stderr that is a file
def test_the_command_writes_its_section(
    tmp_path: Path, run_folder: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.md")
    monkeypatch.setattr(throughput, "WORKLOADS", ((CNN, 60, 80, 1), (CNN, 120, 160, 2)))
    monkeypatch.setattr(registry, "ELSEWHERE", {})
    monkeypatch.setattr(registry, "HERE", {"plain loop": Peer("plain_loop")})

    throughput.throughput(images=4, rounds=1, run=run_folder, data=image_folder)

    text = (tmp_path / "results.md").read_text()
    assert "4 generated JPEGs of 80 x 60" in text
    assert "2 generated JPEGs of 160 x 120" in text
    assert "| edgeclf, LiteRT | 100.0% | 100.0% | 100.0% | 100.0% |" in text
    assert text.count("In the journal of `clf-run`") == 1
