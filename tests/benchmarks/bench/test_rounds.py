"""Every candidate is measured once per round, in processes that are gone afterwards."""

import io
import os
import shutil
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeclf.benchmarks.bench.candidates import Candidate, list_candidates
from edgeclf.benchmarks.bench.rounds import RoundResult, measure_cold_start, measure_rounds
from edgeclf.runtime.errors import DeviceError, EdgeclfError, ModelError


@pytest.fixture(scope="module")
def files(image_folder: Path) -> list[str]:
    return sorted(map(str, image_folder.rglob("*.png")))


def as_candidates(*models: Path, device: str = "cpu", batch: int | None = 1) -> tuple[Candidate, ...]:
    return list_candidates({model: model.name for model in models}, [device], [batch], [1])


@dataclass(frozen=True)
class Measured:
    candidates: tuple[Candidate, ...]
    results: dict[Candidate, list[RoundResult]]
    failures: list[str]
    stderr: str
    children_before: set[str]
    children_after: set[str]


@pytest.fixture(scope="module")
def measured(onnx_model: Path, int8_model: Path, files: list[str], tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Two rounds of a broken model and two good ones, started in a folder with a module that must not be imported."""
    folder = tmp_path_factory.mktemp("rounds")
    (folder / "queue.py").write_text("raise SystemExit('imported from the current folder')")
    (folder / "bad.onnx").write_bytes(b"no model")
    candidates = as_candidates(folder / "bad.onnx", onnx_model, int8_model, batch=None)
    before, stderr = _children(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(stderr):
        patch.chdir(folder)
        results, failures = measure_rounds(candidates, files, rounds=2, seconds=0.1, end_to_end=True)
    return Measured(candidates, results, failures, stderr.getvalue(), before, _children())


def test_every_candidate_is_measured_in_each_round(measured: Measured) -> None:
    good = measured.candidates[1:]
    assert [len(measured.results[each]) for each in good] == [2, 2]
    assert all(one.cold_start.seconds > 0 and one.measurement.rate > 0 for each in good for one in measured.results[each])


def test_an_automatic_batch_size_is_kept_in_later_rounds(measured: Measured) -> None:
    for first, second in measured.results.values():
        assert first.measurement.batch == second.measurement.batch


def test_a_model_that_fails_is_left_out_with_a_note(measured: Measured) -> None:
    assert list(measured.results) == list(measured.candidates[1:])
    (failure,) = measured.failures
    assert failure.startswith("left out: bad.onnx, cpu, batch auto, 1 thread: ")
    assert measured.stderr.count(failure) == 1


def test_modules_in_the_current_folder_are_not_imported(measured: Measured) -> None:
    assert "imported from the current folder" not in measured.stderr
    assert len(measured.results) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_is_left_behind(measured: Measured) -> None:
    assert measured.children_after <= measured.children_before


def test_if_all_candidates_fail_the_last_error_is_raised(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        measure_rounds(as_candidates(tmp_path / "bad.onnx"), files, rounds=1, seconds=0.1, end_to_end=True)


def test_a_device_that_is_not_there_ends_the_benchmark(onnx_model: Path, files: list[str]) -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        measure_rounds(as_candidates(onnx_model, device="cuda:99"), files, rounds=1, seconds=0.1, end_to_end=False)


def test_the_error_for_a_process_that_ends_has_its_last_line() -> None:
    with pytest.raises(EdgeclfError, match=r"has ended \(.*No module named"):
        measure_cold_start("edgeclf.benchmarks.bench.absent")


def test_the_error_for_a_process_that_is_killed_has_the_signal() -> None:
    with pytest.raises(EdgeclfError, match=r"has ended \(by signal 9\)"):
        measure_cold_start("timeit", "import os; os.kill(os.getpid(), 9)")


@pytest.mark.slow
def test_the_cold_start_of_keras_is_measured(run_folder: Path, files: list[str], tmp_path: Path) -> None:
    shutil.copy(run_folder / "model.keras", tmp_path)
    start = measure_cold_start("edgeclf.benchmarks.bench.keras_start", str(tmp_path / "model.keras"), files[0])
    assert start.cpu_seconds > 1  # TensorFlow's import alone


def _children() -> set[str]:
    """Processes that this one has started; empty on systems without /proc."""
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return set(path.read_text().split()) if path.exists() else set()
