"""How a cluster is divided: no core is idle, there are as few copies of the model as possible, and every GPU has cores."""

from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import pytest

from edgeclf.runtime.cluster.plan import Machine, Plan, check_device, make_plan
from edgeclf.runtime.errors import DeviceError, ExitCode, OptionError

ONNX, TFLITE = Path("model.onnx"), Path("model.int8.tflite")


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [
        ([1, 1], 2, 1),
        ([2], 1, 2),
        ([8, 8, 8], 3, 8),
        ([16, 12], 7, 4),
        ([16, 15], 31, 1),
        ([96], 6, 16),
        ([64, 64], 8, 16),
        ([0, 8, 8], 2, 8),
        ([23], 23, 1),
    ],
    ids=str,
)
def test_workers_leave_no_core_idle(cores: Sequence[int], workers: int, threads: int) -> None:
    plan = make_plan([Machine(number) for number in cores], "cpu", None, ONNX)
    assert plan == Plan(workers=workers, cores=threads, threads=threads, gpus=0, device="cpu")
    assert workers * threads == sum(cores)


def test_requested_threads_get_a_core_each() -> None:
    assert make_plan([Machine(8), Machine(6)], "cpu", 4, ONNX) == Plan(workers=3, cores=4, threads=4, gpus=0, device="cpu")


def test_more_threads_than_cores_share_the_cores() -> None:
    assert make_plan([Machine(8), Machine(8)], "cpu", 32, ONNX) == Plan(workers=2, cores=8, threads=32, gpus=0, device="cpu")
    assert make_plan([Machine(2)], "cpu", 64, ONNX) == Plan(workers=1, cores=2, threads=64, gpus=0, device="cpu")


def test_before_any_machine_has_joined_one_core_is_requested() -> None:
    assert make_plan([Machine(0)], "cpu", None, ONNX) == Plan(workers=1, cores=1, threads=1, gpus=0, device="cpu")


def test_each_gpu_gets_a_worker_with_its_share_of_the_cores() -> None:
    machines = [Machine(4), Machine(32, 4), Machine(24, 2)]
    assert make_plan(machines, "cuda", None, ONNX) == Plan(workers=6, cores=8, threads=8, gpus=1, device="cuda")
    assert make_plan(machines, "tensorrt", 12, ONNX) == Plan(workers=6, cores=8, threads=12, gpus=1, device="tensorrt")


def test_auto_uses_gpus_if_onnxruntime_supports_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    with_gpu = [Machine(8, 1)]
    assert make_plan(with_gpu, "auto", None, ONNX) == Plan(workers=1, cores=8, threads=8, gpus=1, device="cuda")
    assert make_plan(with_gpu, "auto", None, TFLITE) == Plan(workers=1, cores=8, threads=8, gpus=0, device="cpu")
    assert make_plan([Machine(8)], "auto", None, ONNX) == Plan(workers=1, cores=8, threads=8, gpus=0, device="cpu")


def test_auto_uses_cores_if_onnxruntime_does_not_support_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert make_plan([Machine(8, 1)], "auto", None, ONNX).device == "cpu"


def test_requesting_a_gpu_that_no_machine_has_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match=r"--device cuda .*no machine") as caught:
        make_plan([Machine(8)], "cuda", None, ONNX)
    assert caught.value.exit_code == ExitCode.DEVICE_UNAVAILABLE


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "tensorrt"])
def test_a_kind_of_device_is_accepted(device: str) -> None:
    check_device(device)


def test_a_single_gpu_is_refused() -> None:
    with pytest.raises(OptionError, match=r"--device cuda:1 .*use --device cuda$"):
        check_device("cuda:1")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", ""])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(OptionError, match=rf"--device .*auto, cpu, cuda, tensorrt, not '{device}'"):
        check_device(device)


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (Plan(workers=1, cores=1, threads=1, gpus=0, device="cpu"), "1 worker with 1 thread each"),
        (Plan(workers=7, cores=4, threads=4, gpus=0, device="cpu"), "7 workers with 4 threads each"),
    ],
    ids=["one", "several"],
)
def test_a_plan_as_text(plan: Plan, text: str) -> None:
    assert str(plan) == text
