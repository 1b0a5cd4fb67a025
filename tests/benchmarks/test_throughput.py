"""The throughput benchmark measures what it says: every candidate does the whole job, and the rounds are whole rounds."""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.benchmarks import camera
from edgeclf.benchmarks.peers.full_decode import FullDecode
from edgeclf.benchmarks.peers.rounds import Candidate, measure
from edgeclf.benchmarks.photographs import enlarged, photograph, write_photographs
from edgeclf.benchmarks.throughput import APPEND, LITERT, PIPELINE, READ_BACK, candidates, journal_cost, report
from edgeclf.runtime.errors import EdgeclfError, OptionError
from edgeclf.runtime.frames.preprocess import Preprocess

PICTURES = 6
MODULES = ("limit", "pipeline", "litert", "one_worker", "full_decode", "plain_loop", "keras_loader")
OPENVINO = ("openvino_queue", "openvino_threads")


@pytest.fixture(scope="module")
def job(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the candidates take it."""
    folder = tmp_path_factory.mktemp("job")
    for name in ("model.onnx", "model.keras", "model.fp32.tflite"):
        shutil.copy(run_folder / name, folder)
    write_photographs(folder / "photographs", PICTURES, 96, 128)
    return folder


@pytest.mark.parametrize("module", MODULES)
def test_a_candidate_does_every_picture_each_time(module: str, job: Path) -> None:
    run = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(job)
    assert (run(), run()) == (PICTURES, PICTURES)


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
@pytest.mark.parametrize("module", OPENVINO)
def test_openvino_does_every_picture_each_time(module: str, job: Path) -> None:
    run = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(job)
    assert (run(), run()) == (PICTURES, PICTURES)


@pytest.mark.parametrize("module", ["journal", "journal_read"])
def test_the_journal_takes_every_row_each_time(module: str, tmp_path: Path) -> None:
    run = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare(tmp_path)
    assert (run(), run()) == (20_000, 20_000)


def test_every_candidate_is_a_module_that_is_tested_here() -> None:
    assert {candidate.module for candidate in candidates().values()} <= {*MODULES, *OPENVINO}


def test_openvino_is_left_out_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not [name for name in candidates() if "OpenVINO" in name]


def test_each_round_has_a_rate_for_every_candidate(job: Path) -> None:
    measured = measure({"a": Candidate("limit", pinned=2), "b": Candidate("pipeline")}, job, rounds=2)

    assert [sorted(rates) for rates in measured] == [["a", "b"], ["a", "b"]]
    assert all(rate > 0 for rates in measured for rate in rates.values())


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes cannot be pinned here")
def test_a_pinned_candidate_uses_its_core_only(job: Path) -> None:
    core = max(os.sched_getaffinity(0))
    line = [sys.executable, "-m", "edgeclf.benchmarks.peers", "limit", str(job), "--core", str(core)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        assert float(process.stdout.readline()) > 0
        assert os.sched_getaffinity(process.pid) == {core}


def test_a_candidate_that_ends_is_named(job: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EdgeclfError, match="'absent' has ended before its measurement"):
        measure({"absent": Candidate("no_such_module")}, job, rounds=1)
    assert "no_such_module" in capfd.readouterr().err


def test_ratios_are_taken_within_a_round() -> None:
    rates = ((100.0, 50.0, 50.0), (300.0, 200.0, 100.0), (200.0, 100.0, 50.0))
    measured = [{PIPELINE: ours, LITERT: litert, "slow": slow} for ours, litert, slow in rates]
    assert "| slow | 50 | 3.00 (2.50 to 3.50) | 2.00 (1.50 to 2.00) |" in report(measured, [PIPELINE, LITERT, "slow"])


def test_the_journal_is_stated_as_a_share_of_a_picture() -> None:
    sentence = journal_cost([{PIPELINE: 500.0, APPEND: 100_000.0, READ_BACK: 200_000.0}])
    assert "10 us, 0.50% (0.50% to 0.50%)" in sentence
    assert "5 us, 0.25% (0.25% to 0.25%)" in sentence


def test_full_decode_is_opencvs_bilinear_over_every_pixel() -> None:
    pixels = photograph(600, 800, seed=0)
    full = FullDecode.like(Preprocess((96, 128)))
    np.testing.assert_array_equal(full(pixels), cv2.resize(pixels, (128, 96), interpolation=cv2.INTER_LINEAR))


def test_an_enlarged_picture_has_the_size_asked_for_and_the_same_shape() -> None:
    data = bytes(cv2.imencode(".png", photograph(60, 80, seed=0))[1])
    large = cv2.imdecode(np.frombuffer(enlarged(data, 4800 * 25), np.uint8), cv2.IMREAD_COLOR)
    assert large is not None
    assert large.shape == (300, 400, 3)


def test_a_trained_models_answers_are_compared_on_every_picture(
    run_folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "PIXELS", 100_000)
    table = camera.answers(run_folder / "model.onnx", pictures)
    assert "| 60, as they are |" in table
    assert "| 60, enlarged" in table


def test_a_folder_without_the_models_classes_is_refused(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="holds no pictures in folders called disc, square"):
        camera.answers(run_folder / "model.onnx", tmp_path)
