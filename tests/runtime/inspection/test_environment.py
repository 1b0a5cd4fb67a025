"""The description of the machine rests on tests, not on assumptions."""

import os
from pathlib import Path

import onnxruntime
import pytest

from edgeclf.runtime.inspection.environment import Check, cameras, find_conflicts, inspect_environment


def test_both_engines_work_on_the_cpu() -> None:
    found = inspect_environment()

    assert found.providers["CPUExecutionProvider"] == found.onnxruntime == found.litert == found.opencv == Check(True)
    assert 1 <= found.cores_usable <= found.cores_machine
    assert found.conflicts == ()


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime has CUDA")
def test_missing_cuda_is_reported_with_a_command_to_install_it() -> None:
    cuda = inspect_environment().providers["CUDAExecutionProvider"]

    assert not cuda.works
    assert cuda.problem.endswith("pip install 'edgeclf[gpu]'")


def test_a_listed_provider_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)

    providers = inspect_environment().providers

    assert [name for name, check in providers.items() if check.works] == ["CPUExecutionProvider"]
    assert "it needs an NVIDIA driver" in providers["CUDAExecutionProvider"].problem
    assert "cannot start it" in providers["TensorrtExecutionProvider"].problem


def test_a_silently_dropped_provider_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # onnxruntime-gpu does this on a machine without CUDA: it makes the session on the CPU and raises nothing.
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda data, options, **_: session(data, options, providers=["CPUExecutionProvider"]),
    )

    providers = inspect_environment().providers

    assert [name for name, check in providers.items() if check.works] == ["CPUExecutionProvider"]
    assert "it needs an NVIDIA driver" in providers["CUDAExecutionProvider"].problem


def test_a_missing_engine_is_reported_with_a_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)

    assert inspect_environment().litert == Check(False, "not installed: pip install 'edgeclf[litert]'")


@pytest.mark.parametrize(
    ("packages", "profile"),
    [
        (("onnxruntime", "onnxruntime-gpu"), "gpu"),
        (("onnxruntime", "onnxruntime-openvino"), "cpu"),
        (("opencv-python", "opencv-python-headless"), "desktop"),
        (("opencv-contrib-python-headless", "opencv-python-headless"), "cpu"),
    ],
)
def test_packages_that_overwrite_each_other_are_a_conflict(packages: tuple[str, ...], profile: str) -> None:
    (conflict,) = find_conflicts(dict.fromkeys(("numpy", *packages), "1.0"))

    assert conflict.packages == tuple(sorted(packages))
    assert conflict.cure == f"pip uninstall -y {' '.join(sorted(packages))} && pip install 'edgeclf[{profile}]'"


def test_one_engine_and_one_opencv_do_not_conflict() -> None:
    assert find_conflicts({"onnxruntime-gpu": "1", "opencv-python-headless": "1", "onnx": "1", "numpy": "1"}) == ()


def test_cameras_are_devices(tmp_path: Path) -> None:
    (tmp_path / "video1").write_text("a file")
    (tmp_path / "video2").mkdir()
    (tmp_path / "video3").symlink_to("nowhere")
    for name in ("video10", "video0"):
        (tmp_path / name).symlink_to(os.devnull)

    assert cameras(tmp_path) == (str(tmp_path / "video0"), str(tmp_path / "video10"))
