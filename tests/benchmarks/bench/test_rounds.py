"""Rounds are fair and whole: everybody has a turn in each, in processes that are gone afterwards."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.candidates import Contender, enter
from edgeclf.benchmarks.bench.rounds import measure, start_cold
from edgeclf.runtime.errors import DeviceError, EdgeclfError, ModelError


@pytest.fixture
def files(image_folder: Path) -> list[str]:
    return sorted(map(str, image_folder.rglob("*.png")))


def contenders(*models: Path, device: str = "cpu", batch: int | None = 1) -> tuple[Contender, ...]:
    return enter({model: model.name for model in models}, [device], [batch], [1])


def test_everybody_has_a_trial_in_each_round(onnx_model: Path, int8_model: Path, files: list[str]) -> None:
    entered = contenders(onnx_model, int8_model)
    measured, left_out = measure(entered, files, rounds=2, seconds=0.1, end_to_end=True)
    assert left_out == []
    assert [len(measured[one]) for one in entered] == [2, 2]
    assert all(trial.cold_start.seconds > 0 and trial.finding.rate > 0 for one in entered for trial in measured[one])


def test_a_batch_that_was_found_is_kept(onnx_model: Path, files: list[str]) -> None:
    measured, _ = measure(contenders(onnx_model, batch=None), files, rounds=2, seconds=0.1, end_to_end=True)
    (trials,) = measured.values()
    assert trials[0].finding.batch == trials[1].finding.batch


def test_a_model_that_cannot_be_measured_is_left_out_and_named(
    onnx_model: Path, tmp_path: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    entered = contenders(tmp_path / "bad.onnx", onnx_model)
    measured, left_out = measure(entered, files, rounds=1, seconds=0.1, end_to_end=True)
    assert list(measured) == [entered[1]]
    assert left_out[0].startswith("left out: bad.onnx, cpu, batch 1, threads 1: ")
    assert left_out[0] in capsys.readouterr().err


def test_nobody_left_is_the_error_of_the_last(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"bad\.onnx is no ONNX model"):
        measure(contenders(tmp_path / "bad.onnx"), files, rounds=1, seconds=0.1, end_to_end=True)


def test_a_device_that_is_not_there_ends_it(onnx_model: Path, files: list[str]) -> None:
    with pytest.raises(DeviceError, match="CUDA was asked for"):
        measure(contenders(onnx_model, device="cuda:99"), files, rounds=1, seconds=0.1, end_to_end=True)


def test_a_process_that_dies_is_told_with_its_last_words() -> None:
    with pytest.raises(EdgeclfError, match=r"has ended \(.*No module named"):
        start_cold("edgeclf.benchmarks.bench.absent")


def test_a_process_that_is_killed_is_told_with_its_signal() -> None:
    with pytest.raises(EdgeclfError, match=r"has ended \(by signal 9\)"):
        start_cold("timeit", "import os; os.kill(os.getpid(), 9)")


def test_modules_of_the_folder_it_is_run_in_are_not_imported(
    onnx_model: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('taken from the folder')")
    monkeypatch.chdir(tmp_path)
    measured, _ = measure(contenders(onnx_model), files, rounds=1, seconds=0.1, end_to_end=True)
    assert len(measured) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_no_process_is_left_behind(onnx_model: Path, files: list[str]) -> None:
    before = _children()
    measure(contenders(onnx_model), files, rounds=1, seconds=0.1, end_to_end=False)
    assert _children() <= before


@pytest.mark.slow
def test_keras_starts_in_its_own_way(run_folder: Path, files: list[str], tmp_path: Path) -> None:
    shutil.copy(run_folder / "model.keras", tmp_path)
    start = start_cold("edgeclf.benchmarks.bench.keras_start", str(tmp_path / "model.keras"), files[0])
    assert start.cpu_seconds > 1  # TensorFlow's import alone


def _children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())
