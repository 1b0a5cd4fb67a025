"""What is said of the machine was tried, not assumed."""

import os
from pathlib import Path

import onnxruntime
import pytest

from edgeclf.runtime.inspection.environment import Check, cameras, find_conflicts, inspect_environment


def test_cpu_starts_and_litert_is_there() -> None:
    found = inspect_environment()

    assert found.providers["CPUExecutionProvider"] == found.onnxruntime == found.litert == found.opencv == Check(True)
    assert 1 <= found.cores_usable <= found.cores_machine
    assert found.conflicts == ()


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime has CUDA")
def test_cuda_that_is_not_built_in_is_said_with_the_cure() -> None:
    cuda = inspect_environment().providers["CUDAExecutionProvider"]

    assert not cuda.works
    assert cuda.problem.endswith("pip install 'edgeclf[gpu]'")


def test_a_provider_that_is_listed_and_does_not_start_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)

    providers = inspect_environment().providers

    assert [name for name, check in providers.items() if check.works] == ["CPUExecutionProvider"]
    assert "it needs an NVIDIA driver" in providers["CUDAExecutionProvider"].problem
    assert "cannot start it" in providers["TensorrtExecutionProvider"].problem


def test_a_provider_that_is_left_out_in_silence_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # What onnxruntime-gpu does on a machine without CUDA: the session is made, on the CPU, and nothing is raised.
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


def test_an_engine_that_is_not_installed_names_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_packages_that_overwrite_each_other_are_a_conflict_with_a_cure(packages: tuple[str, ...], profile: str) -> None:
    (conflict,) = find_conflicts(dict.fromkeys(("numpy", *packages), "1.0"))

    assert conflict.packages == tuple(sorted(packages))
    assert conflict.cure == f"pip uninstall -y {' '.join(sorted(packages))} && pip install 'edgeclf[{profile}]'"


def test_one_engine_and_one_opencv_are_no_conflict() -> None:
    assert find_conflicts({"onnxruntime-gpu": "1", "opencv-python-headless": "1", "onnx": "1", "numpy": "1"}) == ()


def test_cameras_are_devices_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "video1").write_text("a file")
    (tmp_path / "video2").mkdir()
    (tmp_path / "video3").symlink_to("nowhere")
    for name in ("video10", "video0"):
        (tmp_path / name).symlink_to(os.devnull)

    assert cameras(tmp_path) == (str(tmp_path / "video0"), str(tmp_path / "video10"))
