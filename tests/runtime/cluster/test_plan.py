"""How a cluster is shared out: no core idle, as few copies of the model as that allows, every GPU its cores."""

from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import pytest

from edgeclf.runtime.cluster.plan import Machine, Plan, check_device, share_out
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
    plan = share_out([Machine(number) for number in cores], "cpu", None, ONNX)
    assert plan == Plan(workers, threads, threads, 0, "cpu")
    assert workers * threads == sum(cores)


def test_threads_that_are_asked_for_have_a_core_each() -> None:
    assert share_out([Machine(8), Machine(6)], "cpu", 4, ONNX) == Plan(3, 4, 4, 0, "cpu")


def test_more_threads_than_a_machine_has_cores_share_them() -> None:
    assert share_out([Machine(8), Machine(8)], "cpu", 32, ONNX) == Plan(2, 8, 32, 0, "cpu")
    assert share_out([Machine(2)], "cpu", 64, ONNX) == Plan(1, 2, 64, 0, "cpu")


def test_where_all_machines_are_still_to_come_any_of_them_will_do() -> None:
    assert share_out([Machine(0)], "cpu", None, ONNX) == Plan(1, 1, 1, 0, "cpu")


def test_each_gpu_has_a_worker_with_its_share_of_the_cores() -> None:
    machines = [Machine(4), Machine(32, 4), Machine(24, 2)]
    assert share_out(machines, "cuda", None, ONNX) == Plan(6, 8, 8, 1, "cuda")
    assert share_out(machines, "tensorrt", 12, ONNX) == Plan(6, 8, 12, 1, "tensorrt")


def test_auto_takes_gpus_where_onnxruntime_is_a_build_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    with_gpu = [Machine(8, 1)]
    assert share_out(with_gpu, "auto", None, ONNX) == Plan(1, 8, 8, 1, "cuda")
    assert share_out(with_gpu, "auto", None, TFLITE) == Plan(1, 8, 8, 0, "cpu")
    assert share_out([Machine(8)], "auto", None, ONNX) == Plan(1, 8, 8, 0, "cpu")


def test_auto_takes_cores_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert share_out([Machine(8, 1)], "auto", None, ONNX).device == "cpu"


def test_a_gpu_that_no_machine_has_is_an_error_of_its_own() -> None:
    with pytest.raises(DeviceError, match=r"no machine of the Ray cluster has a GPU .* as --device cuda needs") as caught:
        share_out([Machine(8)], "cuda", None, ONNX)
    assert caught.value.exit_code == ExitCode.DEVICE_UNAVAILABLE


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "tensorrt"])
def test_a_kind_of_device_can_be_asked_for(device: str) -> None:
    check_device(device)


def test_one_gpu_of_one_machine_cannot_be_asked_for() -> None:
    with pytest.raises(OptionError, match=r"--device cuda:1 names one GPU of one machine, .* write --device cuda"):
        check_device("cuda:1")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", ""])
def test_what_is_no_device_is_refused(device: str) -> None:
    with pytest.raises(OptionError, match=f"--device takes auto, cpu, cuda, tensorrt with --ray, not '{device}'"):
        check_device(device)


@pytest.mark.parametrize(
    ("plan", "text"),
    [(Plan(1, 1, 1, 0, "cpu"), "1 worker of 1 thread"), (Plan(7, 4, 4, 0, "cpu"), "7 workers of 4 threads")],
    ids=["one", "several"],
)
def test_people_read_it(plan: Plan, text: str) -> None:
    assert str(plan) == text
