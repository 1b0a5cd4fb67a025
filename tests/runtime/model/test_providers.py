"""The requested device is used, or the error says why not."""

import os
import re
from pathlib import Path

import onnxruntime as ort
import pytest

from edgeclf.runtime import Classifier
from edgeclf.runtime.errors import DeviceError, ModelError
from edgeclf.runtime.model.providers import device_of, onnxruntime_message, open_session, try_providers

LISTED = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
"""The providers that onnxruntime-gpu lists, whether they start or not."""
only_cpu = pytest.mark.skipif(len(set(LISTED) & set(ort.get_available_providers())) > 1, reason="this onnxruntime has CUDA")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores the variable that a request for TensorRT sets."""
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")


@only_cpu
@pytest.mark.parametrize(
    ("device", "title"), [("cuda", "CUDA"), ("cuda:7", "CUDA"), ("tensorrt", "TensorRT"), ("tensorrt:1", "TensorRT")]
)
def test_a_provider_that_is_not_built_in_is_a_device_error(device: str, title: str, colour_model: Path) -> None:
    with pytest.raises(DeviceError, match=rf"^{title} was requested.*pip install 'edgeclf\[gpu\]', or use --device cpu$"):
        Classifier.open(colour_model, device=device)


@only_cpu
@pytest.mark.parametrize(("device", "needs"), [("cuda", "cuDNN"), ("tensorrt", "TensorRT libraries")])
def test_a_listed_provider_that_does_not_start_is_a_device_error(
    device: str, needs: str, colour_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: LISTED)

    with pytest.raises(DeviceError, match=f"cannot start it; it needs an NVIDIA driver .*{needs}"):
        Classifier.open(colour_model, device=device)


@only_cpu
@pytest.mark.parametrize("device", ["cuda:3", "tensorrt:3"])
def test_a_provider_that_is_silently_dropped_is_a_device_error(
    device: str, colour_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # onnxruntime-gpu does this if CUDA does not start: it makes the session on the CPU and raises nothing.
    session = ort.InferenceSession
    monkeypatch.setattr(ort, "get_available_providers", lambda: LISTED)
    monkeypatch.setattr(ort, "InferenceSession", lambda data, options, **_: session(data, options, providers=LISTED[-1:]))

    with pytest.raises(DeviceError, match=r"requested, but onnxruntime .* cannot start it"):
        Classifier.open(colour_model, device=device)


@only_cpu
def test_auto_falls_back_to_the_cpu(
    colour_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: LISTED)

    assert Classifier.open(colour_model).backend.device == "cpu"
    assert capsys.readouterr().out == ""


@only_cpu
def test_tensorrt_does_not_round_float32(colour_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: LISTED)

    with pytest.raises(DeviceError):
        Classifier.open(colour_model, device="tensorrt")

    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


def test_the_device_is_taken_from_the_session(colour_model: Path) -> None:
    assert device_of(open_session(colour_model, colour_model.read_bytes(), "cpu", 1)) == "cpu"


def test_a_file_that_is_not_a_model_is_not_blamed_on_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: LISTED)

    with pytest.raises(ModelError, match="not an ONNX model"):
        open_session(tmp_path / "x.onnx", b"nonsense", "cuda", 1)


@only_cpu
def test_each_provider_names_its_own_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: LISTED)

    problems = try_providers()

    assert problems["CPUExecutionProvider"] == ""
    assert re.search("pip install 'onnxruntime-gpu", problems["CUDAExecutionProvider"])
    assert re.search("LD_LIBRARY_PATH", problems["TensorrtExecutionProvider"])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "/src/cuda_call.cc:154 std::conditional_t<THRW, void> onnxruntime::CudaCall(ERRTYPE, const char*, int) [with "
            "bool THRW = true] /src/cuda_call.cc:146 onnxruntime::CudaCall(ERRTYPE, int) [with bool THRW = true] CUDA "
            "failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=box ; "
            "file=/src/cuda_execution_provider.cc ; line=355 ; expr=cudaSetDevice(info_.device_id); ",
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
        ),
        (
            "/src/cuda_execution_provider_info.cc:63 static onnxruntime::CUDAExecutionProviderInfo::FromProviderOptions("
            "const onnxruntime::ProviderOptions&) [ONNXRuntimeError] : 1 : FAIL : provider_options_utils.h:182 Parse "
            'Unknown provider option: "nonsense".\n',
            'Unknown provider option: "nonsense".',
        ),
        (
            "/src/onnxruntime_pybind_state.cc:729 void onnxruntime::python::RegisterTensorRTPluginsAsCustomOps("
            "PySessionOptions&, const onnxruntime::ProviderOptions&) Please install TensorRT libraries.\n",
            "Please install TensorRT libraries.",
        ),
        ("Invalid device ID: 9, must be between 0 (inclusive) and 1 (exclusive).",) * 2,
        ("", "RuntimeError"),
    ],
    ids=["CUDA", "option", "TensorRT", "plain", "nothing"],
)
def test_source_locations_are_removed_from_onnxruntime_messages(message: str, expected: str) -> None:
    assert onnxruntime_message(RuntimeError(message)) == expected
