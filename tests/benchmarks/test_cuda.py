"""The CUDA benchmark: every workload processes every image (here on the CPU); without CUDA, it says so at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeclf.benchmarks.cuda import PIPELINE, export_networks, gpu_name, measure, report, workloads_of, write_many
from edgeclf.runtime import Classifier
from edgeclf.runtime.model.providers import try_providers

NO_CUDA = try_providers()["CUDAExecutionProvider"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "photographs"
    write_many(folder, 100)
    return folder


def test_every_workload_processes_every_image_in_whole_batches(onnx_model: Path, photographs: Path) -> None:
    with workloads_of(onnx_model, photographs, "cpu") as (workloads, batch):
        done = {name: process() for name, process in workloads.items()}

    assert done[PIPELINE] == done["cores alone"] == 100
    assert {count for name, count in done.items() if "alone, one" in name or name in ("model alone", "session.run")} == {
        100 // batch * batch
    }


def test_each_round_has_a_rate_for_every_workload() -> None:
    measured = measure({PIPELINE: lambda: 8, "other": lambda: 4}, rounds=3)

    assert [sorted(rates) for rates in measured] == [[PIPELINE, "other"]] * 3
    assert all(rate > 0 for rates in measured for rate in rates.values())


def test_ratios_are_the_pipelines_to_the_others() -> None:
    assert "| cores alone | 200 | 0.50 (0.50 to 0.50) |" in report([{PIPELINE: 100.0, "cores alone": 200.0}] * 3)


def test_most_of_the_images_are_hard_links(photographs: Path) -> None:
    files = list(photographs.rglob("*.jpg"))

    assert len(files) == 100
    assert len({os.stat(file).st_ino for file in files}) == 64


def test_the_name_of_the_gpu_is_one_line() -> None:
    assert len(gpu_name().splitlines()) == 1


@pytest.mark.slow
def test_the_networks_come_in_both_precisions(tmp_path: Path) -> None:
    models = list(export_networks(tmp_path))

    assert [model.name.endswith(".fp16.onnx") for model in models] == [False, True] * (len(models) // 2)
    assert all(Classifier.open(model, device="cpu").card.classes == ("a", "b") for model in models)
    assert models[1].stat().st_size < 0.6 * models[0].stat().st_size


@pytest.mark.skipif(not NO_CUDA, reason="CUDA is available")
def test_without_cuda_the_command_ends_with_exit_code_4_and_one_sentence() -> None:
    line = [sys.executable, "-m", "edgeclf.benchmarks.cuda"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: this benchmark needs CUDA")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.gpu
@pytest.mark.skipif(bool(NO_CUDA), reason=f"CUDA is not available: {NO_CUDA}")
def test_every_workload_runs_on_the_gpu(onnx_model: Path, photographs: Path) -> None:
    with workloads_of(onnx_model, photographs, "cuda") as (workloads, _):
        assert all(process() > 0 for process in workloads.values())
