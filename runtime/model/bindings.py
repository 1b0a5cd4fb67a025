"""I/O binding: images are copied into the device's memory before an onnxruntime session runs.

When host memory is bound, onnxruntime starts copying it at once and does not wait for the copy to end. `update_inplace` does
wait, so images are copied with it into device memory, and that memory is bound.
"""

import threading

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.cuda_runtime import page_locked
from edgeclf.runtime.model.providers import onnxruntime_message
from edgeclf.runtime.terminal.console import note

_TOLERANCE = 1e-3


class Bindings:
    """A session whose input is in the memory of a device: `cpu`, `cuda:N` or `tensorrt:N`.

    `run` may be called from several threads at once; each thread has its own memory.
    """

    def __init__(self, session: ort.InferenceSession, device: str) -> None:
        self._session = session
        self._device = device
        self._local = threading.local()

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """Like Backend.run. Raises whatever onnxruntime raises."""
        binding: _Binding | None = getattr(self._local, "binding", None)
        if binding is None:
            binding = self._local.binding = _Binding(self._session, self._device)
        return binding.run(images)


def working_bindings(session: ort.InferenceSession, device: str) -> Bindings | None:
    """Bindings that predicted two images like the session alone. If they do not, print a note and return None."""
    bindings = Bindings(session, device)
    image = session.get_inputs()[0]
    random = np.random.default_rng(0)
    try:
        for _ in range(2):  # a binding that kept its first input would repeat the first prediction
            images = random.integers(0, 256, (1, *image.shape[1:]), np.uint8)
            expected = session.run([session.get_outputs()[0].name], {image.name: images})[0]
            if not np.allclose(bindings.run(images), expected, rtol=0, atol=_TOLERANCE, equal_nan=True):
                raise ValueError("it changes the predictions")
    except Exception as error:  # onnxruntime raises a dozen unrelated classes
        note(f"I/O binding does not work on {device} ({onnxruntime_message(error)}); continuing without it")
        return None
    return bindings


class _Binding:
    """One thread's memory: a page-locked buffer that grows with the batch, and a device buffer of the last batch's size."""

    def __init__(self, session: ort.InferenceSession, device: str) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._input_name = session.get_inputs()[0].name
        self._output_name = session.get_outputs()[0].name
        kind, _, number = device.partition(":")
        self._memory = "cpu" if kind == "cpu" else "cuda"
        self._gpu = int(number or 0)
        self._host: Pixels = np.empty((0, *session.get_inputs()[0].shape[1:]), np.uint8)
        self._input: ort.OrtValue | None = None

    def run(self, images: Pixels) -> NDArray[np.float32]:
        count = len(images)
        if count > len(self._host):
            shape = (count, *self._host.shape[1:])
            self._host = np.empty(shape, np.uint8) if self._memory == "cpu" else page_locked(shape, self._gpu)
        if self._input is None or self._input.shape()[0] != count:
            self._binding.clear_binding_inputs()  # frees the old buffer before a new one is allocated
            self._input = None
            shape = (count, *self._host.shape[1:])
            self._input = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, self._memory, self._gpu)
        np.copyto(self._host[:count], images, casting="no")
        self._input.update_inplace(self._host[:count])
        # Bind both on every run. If the first layer runs on another device, binding is what copies the input; and a bound
        # output keeps the memory of the last batch, whose size may differ.
        self._binding.bind_ortvalue_input(self._input_name, self._input)
        self._binding.bind_output(self._output_name)
        self._session.run_with_iobinding(self._binding)
        probabilities: NDArray[np.float32] = self._binding.copy_outputs_to_cpu()[0]
        return probabilities
