"""The onnxruntime backend. All threads share one session."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import batch_error, contract_error
from edgeclf.runtime.model.bindings import Bindings, working_bindings
from edgeclf.runtime.model.card import CARD_KEY
from edgeclf.runtime.model.further_outputs import Shape
from edgeclf.runtime.model.providers import device_of, open_session
from edgeclf.runtime.terminal.console import show_shape

_CHANNELS = (1, 3)


class OnnxBackend:
    """A `.onnx` file with one uint8 input `[batch, H, W, C]` and probabilities as its first output.

    The batch may be fixed at one image; images are then run one by one.
    """

    output_levels = None

    def __init__(self, path: Path, data: bytes, device: str, threads: int) -> None:
        self._session = open_session(path, data, device, threads)
        self.engine = f"onnxruntime {ort.__version__}"
        self.device = device_of(self._session)
        self.card_text: str | None = self._session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(uint8)" else []
        self.one_by_one = shape[:1] == [1]
        if not _is_usual(["batch", *shape[1:]] if self.one_by_one else shape):
            found = ", ".join(f"{one.name}: {one.type} {show_shape(one.shape)}" for one in inputs)
            raise contract_error(path, found)
        self.input_shape = (shape[1], shape[2], shape[3])
        self._input_name = inputs[0].name
        self._output_names = [output.name for output in self._session.get_outputs()]
        on_host = self.device == "cpu" or self.one_by_one
        self.bindings: Bindings | None = None if on_host else working_bindings(self._session, self.device)
        """Copies images to the GPU; None if the session takes them from host memory."""

    def run(self, images: Pixels) -> NDArray[np.float32]:
        try:
            if self.one_by_one and len(images) > 1:
                return np.concatenate([self._run(images[number : number + 1]) for number in range(len(images))])
            return self._run(images)
        except Exception as error:  # onnxruntime's error classes share no other base
            raise batch_error(len(images), error) from None

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        outputs = self._session.get_outputs()
        return tuple(tuple(side if isinstance(side, int) else None for side in one.shape) for one in outputs)

    def run_outputs(self, images: Pixels, places: Sequence[int]) -> list[NDArray[np.float32]]:
        names = [self._output_names[place] for place in places]
        try:
            found = self._session.run(names, {self._input_name: images})
        except Exception as error:  # as in `run`
            raise batch_error(len(images), error) from None
        return [np.asarray(one, np.float32) for one in found]

    def _run(self, batch: Pixels) -> NDArray[np.float32]:
        if self.bindings is not None:
            return self.bindings.run(batch)
        probabilities: NDArray[np.float32] = self._session.run(self._output_names[:1], {self._input_name: batch})[0]
        return probabilities


def _is_usual(shape: list[Any]) -> bool:
    """Whether it is `[batch, H, W, C]` with any batch and a fixed size, as edgeclf exports it."""
    fixed = len(shape) == 4 and all(isinstance(side, int) and side > 0 for side in shape[1:])
    return fixed and not isinstance(shape[0], int) and shape[3] in _CHANNELS
