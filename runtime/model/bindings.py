"""Runs of an onnxruntime session with the images put into its device's memory beforehand: I/O binding.

What a binding is given in the processor's memory, onnxruntime copies when it is bound, and it does not wait for the end of
that. So the images go by `update_inplace`, which does wait, into memory of the device, and this is what is bound.
"""

import threading

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.cuda_runtime import page_locked
from edgeclf.runtime.model.providers import onnxruntime_message
from edgeclf.runtime.terminal.console import note

_SAME = 1e-3


class Bindings:
    """A session whose input lies in the memory of a device: `cpu`, `cuda:N` or `tensorrt:N`.

    `run` may be called from several threads at once; each has its own memory.
    """

    def __init__(self, session: ort.InferenceSession, device: str) -> None:
        self._session = session
        self._device = device
        self._local = threading.local()

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """As Backend.run; raises what onnxruntime raises."""
        binding: _Binding | None = getattr(self._local, "binding", None)
        if binding is None:
            binding = self._local.binding = _Binding(self._session, self._device)
        return binding.run(images)


def working_bindings(session: ort.InferenceSession, device: str) -> Bindings | None:
    """Bindings that have answered two images as the session does without them; None, with a note, where they do not."""
    bindings = Bindings(session, device)
    image = session.get_inputs()[0]
    random = np.random.default_rng(0)
    try:
        for _ in range(2):  # the second would get the first one's answer, did a binding keep what it was given
            images = random.integers(0, 256, (1, *image.shape[1:]), np.uint8)
            plain = session.run([session.get_outputs()[0].name], {image.name: images})[0]
            if not np.allclose(bindings.run(images), plain, rtol=0, atol=_SAME, equal_nan=True):
                raise ValueError("it changes the answers")
    except Exception as error:  # onnxruntime raises a dozen unrelated classes
        note(f"I/O binding does not work on {device} ({onnxruntime_message(error)}); going on without it")
        return None
    return bindings


class _Binding:
    """One thread's: page-locked memory that grows with the batch, and the device's, of the last batch's size."""

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
            self._binding.clear_binding_inputs()  # frees the old one before there is a new one
            self._input = None
            shape = (count, *self._host.shape[1:])
            self._input = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, self._memory, self._gpu)
        np.copyto(self._host[:count], images, casting="no")
        self._input.update_inplace(self._host[:count])
        # Both in each run: where the first layer runs on another device, it is binding that copies; and an output keeps the
        # memory of the last answers, which may have been more or fewer.
        self._binding.bind_ortvalue_input(self._input_name, self._input)
        self._binding.bind_output(self._output_name)
        self._session.run_with_iobinding(self._binding)
        probabilities: NDArray[np.float32] = self._binding.copy_outputs_to_cpu()[0]
        return probabilities
