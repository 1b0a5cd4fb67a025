"""The onnxruntime backend. All threads share one session."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import batch_error, contract_error
from edgeclf.runtime.model.bindings import Bindings, working_bindings
from edgeclf.runtime.model.card import CARD_KEY
from edgeclf.runtime.model.providers import device_of, open_session


class OnnxBackend:
    """A `.onnx` file with one uint8 input `[batch, H, W, C]` and probabilities as its first output."""

    output_levels = None

    def __init__(self, path: Path, data: bytes, device: str, threads: int) -> None:
        self._session = open_session(path, data, device, threads)
        self.engine = f"onnxruntime {ort.__version__}"
        self.device = device_of(self._session)
        self.card_text: str | None = self._session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or not _is_image_batch(inputs[0].shape):
            found = ", ".join(f"{i.name}: {i.type}{i.shape}" for i in inputs)
            raise contract_error(path, found)
        height, width, channels = inputs[0].shape[1:]
        self.input_shape = (height, width, channels)
        self._input_name = inputs[0].name
        self._output_name = self._session.get_outputs()[0].name
        self.bindings: Bindings | None = None if self.device == "cpu" else working_bindings(self._session, self.device)
        """Copies images to the GPU; None if the session takes them from host memory."""

    def run(self, images: Pixels) -> NDArray[np.float32]:
        try:
            if self.bindings is not None:
                return self.bindings.run(images)
            probabilities: NDArray[np.float32] = self._session.run([self._output_name], {self._input_name: images})[0]
        except Exception as error:  # onnxruntime's error classes share no other base
            raise batch_error(len(images), error) from None
        return probabilities


def _is_image_batch(shape: list[Any]) -> bool:
    return len(shape) == 4 and not isinstance(shape[0], int) and all(isinstance(side, int) for side in shape[1:])
