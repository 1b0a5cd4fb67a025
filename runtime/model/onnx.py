"""onnxruntime behind the `Backend` protocol. One session serves every thread."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.console import note
from edgeclf.runtime.errors import DeviceError, ModelError, first_line
from edgeclf.runtime.frames.decode import Pixels
from edgeclf.runtime.model.backend import failed_run, wrong_input
from edgeclf.runtime.model.card import CARD_KEY

_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_Provider = str | tuple[str, dict[str, str]]


# The smallest model that a session can be made of, y = x, to see which providers really start: in protobuf's wire format,
# ir_version 8, graph "g" with one Identity node, x and y as float32 [1], opset 17.
_PROBE = (
    b"\x08\x08" b"\x3a\x37"
    b"\x0a\x10" b"\x0a\x01x" b"\x12\x01y" b"\x22\x08Identity"
    b"\x12\x01g"
    b"\x5a\x0f" b"\x0a\x01x" b"\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01"
    b"\x62\x0f" b"\x0a\x01y" b"\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x01"
    b"\x42\x02\x10\x11"
)  # fmt: skip


class OnnxBackend:
    """A `.onnx` file: one uint8 input `[batch, H, W, C]`, probabilities as its first output."""

    def __init__(self, path: Path, data: bytes, device: str, threads: int) -> None:
        self._session = _open_session(path, data, device, threads)
        self.engine = f"onnxruntime {ort.__version__}"
        self.device = _device_of(self._session)
        self.card_text: str | None = self._session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or not _is_picture_batch(inputs[0].shape):
            found = ", ".join(f"{i.name}: {i.type}{i.shape}" for i in inputs)
            raise wrong_input(path, found)
        height, width, channels = inputs[0].shape[1:]
        self.input_shape = (height, width, channels)
        self._input_name = inputs[0].name
        self._output_name = self._session.get_outputs()[0].name

    def run(self, images: Pixels) -> NDArray[np.float32]:
        try:
            probabilities: NDArray[np.float32] = self._session.run([self._output_name], {self._input_name: images})[0]
        except Exception as error:  # onnxruntime's classes share no other base
            raise failed_run(len(images), error) from None
        return probabilities


def try_providers() -> dict[str, str]:
    """Every provider that onnxruntime lists, and CUDA: "" where a session really starts on it, else why it does not."""
    return {name: _try_provider(name) for name in dict.fromkeys([*ort.get_available_providers(), _CUDA])}


def _try_provider(name: str) -> str:
    if name not in ort.get_available_providers():
        return _why_no_cuda()
    cause = _why_no_cuda() if name == _CUDA else "onnxruntime lists it, but cannot start it"
    try:
        started = _start(_PROBE, 1, _providers("cuda") if name == _CUDA else [name]).get_providers()
    except Exception as error:  # onnxruntime raises a dozen unrelated classes
        return f"{cause} ({first_line(error)})"
    return "" if name in started else cause


def _is_picture_batch(shape: list[Any]) -> bool:
    return len(shape) == 4 and not isinstance(shape[0], int) and all(isinstance(side, int) for side in shape[1:])


def _open_session(path: Path, data: bytes, device: str, threads: int) -> ort.InferenceSession:
    providers = _providers(device)
    try:
        session = _start(data, threads, providers)
    except Exception as error:  # onnxruntime raises a dozen unrelated classes
        if providers[0] != _CPU and device != "auto":
            _open_session(path, data, "cpu", threads)  # a file that is no model is not CUDA's fault, and says so itself
            raise _no_cuda(f" ({first_line(error)})") from None
        if providers[0] != _CPU:
            note(f"CUDA does not start here ({first_line(error)}); running on the CPU")
            return _open_session(path, data, "cpu", threads)
        engine = f"onnxruntime {ort.__version__}"
        raise ModelError(f"{path} is no ONNX model that {engine} can load ({first_line(error)})") from None
    if device.startswith("cuda") and session.get_providers()[0] != _CUDA:
        raise _no_cuda()
    return session


def _start(data: bytes, threads: int, providers: list[_Provider]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # A session made from bytes looks for external data in the working directory; a folder that cannot exist forbids it.
    nowhere = os.path.join(os.devnull, "none")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", nowhere)
    # With its own fallback, onnxruntime prints to stdout and goes on with other providers in silence.
    return ort.InferenceSession(data, options, providers=providers, enable_fallback=0)


def _providers(device: str) -> list[_Provider]:
    """What to ask for; onnxruntime leaves out in silence what does not start, so the session is asked afterwards."""
    available = ort.get_available_providers()
    if device == "cpu" or (device == "auto" and _CUDA not in available):
        return [_CPU]
    if _CUDA not in available:
        raise _no_cuda()
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds the CUDA and cuDNN libraries that pip installed
    number = device.partition(":")[2] or "0"
    return [(_CUDA, {"device_id": number}), _CPU]


def _device_of(session: ort.InferenceSession) -> str:
    if session.get_providers()[0] != _CUDA:
        return "cpu"
    return "cuda:" + str(session.get_provider_options()[_CUDA].get("device_id", "0"))


def _no_cuda(detail: str = "") -> DeviceError:
    return DeviceError(f"CUDA was asked for, but {_why_no_cuda()}, or use --device cpu{detail}")


def _why_no_cuda() -> str:
    """The cause, and the cure as a command."""
    if _CUDA not in ort.get_available_providers():
        return f"this onnxruntime {ort.__version__} is built without it; in a fresh environment: pip install 'edgeclf[gpu]'"
    return (
        f"onnxruntime {ort.__version__} could not start it; it needs an NVIDIA driver (see nvidia-smi) "
        "and the CUDA and cuDNN libraries: pip install 'onnxruntime-gpu[cuda,cudnn]'"
    )
