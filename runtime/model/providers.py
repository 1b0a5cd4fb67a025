"""The execution providers of onnxruntime: which to request, which one really started, and why another did not."""

import contextlib
import functools
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from edgeclf.runtime.errors import DeviceError, ModelError, first_line
from edgeclf.runtime.model.cuda_runtime import cuda_problem
from edgeclf.runtime.model.onnx_schema import EXTERNAL, parse_model
from edgeclf.runtime.terminal.console import note

_Provider = str | tuple[str, dict[str, str]]


@dataclass(frozen=True)
class _Gpu:
    """A provider for NVIDIA GPUs. needs: what it requires to start, and how to install that."""

    provider: str
    title: str
    needs: str


_CPU = "CPUExecutionProvider"
_CUDA = _Gpu(
    "CUDAExecutionProvider",
    "CUDA",
    "an NVIDIA driver (see nvidia-smi) and the CUDA and cuDNN libraries: pip install 'onnxruntime-gpu[cuda,cudnn]'",
)
_TENSORRT = _Gpu(
    "TensorrtExecutionProvider",
    "TensorRT",
    "an NVIDIA driver (see nvidia-smi), CUDA, cuDNN, and NVIDIA's TensorRT libraries on the library path "
    "(LD_LIBRARY_PATH; on Windows PATH)",
)
_GPUS = {"cuda": _CUDA, "tensorrt": _TENSORRT}
_CUDA_OPTIONS = {
    # The default searches for the best algorithm at each new batch size: 634 ms against 1.9 ms, and the result is no faster
    # (measured in PaddlePaddle/PaddleX#5057; the meaning of the names since 1.20: microsoft/onnxruntime#22705).
    "cudnn_conv_algo_search": "HEURISTIC",
    # The default rounds float32 to a 10-bit mantissa from Ampere on (microsoft/onnxruntime#19357 and #19426), which the gate
    # does not test. For speed, export float16, which the gate does test.
    "use_tf32": "0",
}
# The same for TensorRT, which has no option for it (microsoft/onnxruntime#6427 and #26029).
_EXACT_FLOAT32 = ("NVIDIA_TF32_OVERRIDE", "0")
_SOURCE_PLACES = re.compile(r"^(\S+:\d+ .*?\)( \[with .*?\])? )+(\[ONNXRuntimeError\] : \d+ : \w+ : )?(\S+:\d+ \w+ )?")
_OUTSIDE = (
    "its weights are in other files, and edgeclf runs single files; "
    "in Python, onnx.save(onnx.load('model.onnx'), 'single.onnx') makes one"
)
_MACHINE = re.compile(r" ; GPU=-?\d+ ; hostname=.*")

# The smallest model for a session, y = x, to test which providers really start. In protobuf's wire format: ir_version 8,
# graph "g" with one Identity node, x and y as float32 [1], opset 17.
_PROBE = (
    b"\x08\x08" b"\x3a\x37"
    b"\x0a\x10" b"\x0a\x01x" b"\x12\x01y" b"\x22\x08Identity"
    b"\x12\x01g"
    b"\x5a\x0f" b"\x0a\x01x" b"\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01"
    b"\x62\x0f" b"\x0a\x01y" b"\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01"
    b"\x42\x02\x10\x11"
)  # fmt: skip


def open_session(path: Path, data: bytes, device: str, threads: int) -> ort.InferenceSession:
    """A session on `device` (see Classifier.open). Raises DeviceError, and ModelError if the data is not an ONNX model."""
    providers = _providers(device)
    requested = _GPUS.get(device.partition(":")[0])
    try:
        session = _start(data, threads, providers)
    except Exception as error:  # onnxruntime raises a dozen unrelated classes
        if requested:
            open_session(path, data, "cpu", threads)  # a file that is not a model raises its own error here
            raise _unavailable(requested, onnxruntime_message(error)) from None
        if providers[0] != _CPU:
            note(f"CUDA does not start here ({onnxruntime_message(error)}); running on the CPU")
            return open_session(path, data, "cpu", threads)
        engine = f"onnxruntime {ort.__version__}"
        raise ModelError(f"{path} is not an ONNX model that {engine} can load ({_load_problem(data, error)})") from None
    if requested and session.get_providers()[0] != requested.provider:
        raise _unavailable(requested)
    return session


def _load_problem(data: bytes, error: Exception) -> str:
    """Why a file cannot be loaded. Weights in other files are named as such: onnxruntime says something else each time."""
    try:
        outside = any(tensor.data_location == EXTERNAL for tensor in parse_model(data).graph.initializer)
    except (ValueError, ImportError):
        outside = False
    return _OUTSIDE if outside else first_line(error)


def device_of(session: ort.InferenceSession) -> str:
    """The device that the session really uses: `cpu`, `cuda:N` or `tensorrt:N`."""
    first = session.get_providers()[0]
    for name, gpu in _GPUS.items():
        if first == gpu.provider:
            return f"{name}:{session.get_provider_options()[first].get('device_id', '0')}"
    return "cpu"


def try_providers() -> dict[str, str]:
    """For CUDA and each provider that onnxruntime lists: "" if a session really starts on it, else the reason why not."""
    names = dict.fromkeys([*ort.get_available_providers(), _CUDA.provider])
    return {name: _try_provider(name) for name in names}


def onnxruntime_message(error: Exception) -> str:
    """The message of an onnxruntime error without source locations and host name."""
    text = str(error).strip().partition("\n")[0]
    return _SOURCE_PLACES.sub("", _MACHINE.sub("", text))[:200] or type(error).__name__


def _try_provider(name: str) -> str:
    device = next((device for device, gpu in _GPUS.items() if gpu.provider == name), None)
    if name not in ort.get_available_providers():
        return _reason(_CUDA)
    error = ""
    try:
        started = _start(_PROBE, 1, _providers(device) if device else [name]).get_providers()
    except Exception as raised:  # onnxruntime raises a dozen unrelated classes
        started, error = [], onnxruntime_message(raised)
    if name in started:
        return ""
    if device:
        return _reason(_GPUS[device]) + _in_parentheses(_cuda_detail() or error)
    return "onnxruntime lists it, but cannot start it" + _in_parentheses(error)


def _start(data: bytes, threads: int, providers: list[_Provider]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # A session made from bytes looks for external data in the working directory; a folder that cannot exist prevents this.
    nowhere = os.path.join(os.devnull, "none")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", nowhere)
    # Without VNNI, x86 processors add pairs of 8-bit products in 16 bits, which saturate: INT8 files answer otherwise there.
    # This makes onnxruntime compute them in full; it has no effect on other processors.
    options.add_session_config_entry("session.x64quantprecision", "1")
    # With its own fallback, onnxruntime prints to stdout and silently continues with other providers.
    return ort.InferenceSession(data, options, providers=providers, enable_fallback=0)


def _providers(device: str) -> list[_Provider]:
    """The providers to request. onnxruntime silently drops those that do not start, so ask the session afterwards."""
    kind, _, number = device.partition(":")
    available = ort.get_available_providers()
    if kind == "auto":
        kind = "cuda" if _CUDA.provider in available else "cpu"
    if kind == "cpu":
        return [_CPU]
    if _GPUS[kind].provider not in available:
        raise _unavailable(_GPUS[kind])
    _load_libraries()
    gpu = {"device_id": number or "0"}
    cuda: list[_Provider] = [(_CUDA.provider, gpu | _CUDA_OPTIONS), _CPU]
    if kind == "cuda":
        return cuda
    os.environ.setdefault(*_EXACT_FLOAT32)
    return [(_TENSORRT.provider, gpu), *cuda]


@functools.cache
def _load_libraries() -> str:
    """Load the CUDA and cuDNN libraries that pip installed, once. Returns what onnxruntime prints about them."""
    ort.set_default_logger_severity(4)  # edgeclf reports a provider that does not start, in one sentence
    printed = io.StringIO()
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(printed):  # stdout is for results only
            ort.preload_dlls()
    return printed.getvalue()


def _unavailable(gpu: _Gpu, error: str = "") -> DeviceError:
    if gpu.provider in ort.get_available_providers():
        error = _cuda_detail() or error
    return DeviceError(f"{gpu.title} was requested, but {_reason(gpu)}, or use --device cpu{_in_parentheses(error)}")


def _reason(gpu: _Gpu) -> str:
    """Why the provider is not available, with the command that installs it."""
    if gpu.provider not in ort.get_available_providers():
        return f"this onnxruntime {ort.__version__} is built without it; in a fresh environment: pip install 'edgeclf[gpu]'"
    return f"onnxruntime {ort.__version__} cannot start it; it needs {gpu.needs}"


def _cuda_detail() -> str:
    """The missing library, or CUDA's own message about the GPUs."""
    return _load_libraries().partition("\n")[0] or cuda_problem()


def _in_parentheses(detail: str) -> str:
    return f" ({detail})" if detail else ""
