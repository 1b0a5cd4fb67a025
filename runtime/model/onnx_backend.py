"""The onnxruntime backend. All threads share one session."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import batch_error, contract_error, image_size
from edgeclf.runtime.model.bindings import Bindings, working_bindings
from edgeclf.runtime.model.card import CARD_KEY
from edgeclf.runtime.model.providers import device_of, open_session
from edgeclf.runtime.terminal.console import note, show_shape

_CHANNELS = (1, 3)


class OnnxBackend:
    """A `.onnx` file with one uint8 input `[batch, H, W, C]` and probabilities as its first output.

    The batch may be fixed at one image; images are then run one by one. A file without a card may also take
    `[batch, C, H, W]` or images of any size.
    """

    output_levels = None

    def __init__(self, path: Path, data: bytes, device: str, threads: int, size_hw: tuple[int, int] | None = None) -> None:
        self._session = open_session(path, data, device, threads)
        self.engine = f"onnxruntime {ort.__version__}"
        self.device = device_of(self._session)
        self.card_text: str | None = self._session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(uint8)" else []
        usual = _is_usual(shape)
        fits = usual or _is_one_usual(shape) or (self.card_text is None and _is_image_batch(shape))
        if not fits:
            found = ", ".join(f"{one.name}: {one.type} {show_shape(one.shape)}" for one in inputs)
            raise contract_error(path, found)
        self._channels_first = _has_channels_first(shape)
        channels = shape[1] if self._channels_first else shape[3]
        sides = shape[2:] if self._channels_first else shape[1:3]
        self.input_shape = (*image_size(path, sides, size_hw), channels)
        self.one_by_one = shape[0] == 1
        if self.one_by_one and self.card_text is None:
            note(f"{path} takes one image at a time, so its images are run one by one")
        self._input_name = inputs[0].name
        self._output_name = self._session.get_outputs()[0].name
        on_host = self.device == "cpu" or not usual
        self.bindings: Bindings | None = None if on_host else working_bindings(self._session, self.device)
        """Copies images to the GPU; None if the session takes them from host memory."""

    def run(self, images: Pixels) -> NDArray[np.float32]:
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if self._channels_first else images
        try:
            if self.one_by_one and len(batch) > 1:
                return np.concatenate([self._run(batch[number : number + 1]) for number in range(len(batch))])
            return self._run(batch)
        except Exception as error:  # onnxruntime's error classes share no other base
            raise batch_error(len(images), error) from None

    def _run(self, batch: Pixels) -> NDArray[np.float32]:
        if self.bindings is not None:
            return self.bindings.run(batch)
        probabilities: NDArray[np.float32] = self._session.run([self._output_name], {self._input_name: batch})[0]
        return probabilities


def _is_usual(shape: list[Any]) -> bool:
    """Whether it is `[batch, H, W, C]` with any batch and a fixed size, as edgeclf exports it."""
    fixed = len(shape) == 4 and all(isinstance(side, int) and side > 0 for side in shape[1:])
    return fixed and not isinstance(shape[0], int) and shape[3] in _CHANNELS


def _is_one_usual(shape: list[Any]) -> bool:
    """Whether it is the same for one image, as in adopted files whose graph takes no other number."""
    return shape[:1] == [1] and _is_usual(["batch", *shape[1:]])


def _is_image_batch(shape: list[Any]) -> bool:
    """Whether images of 1 or 3 channels fit in, however many and however large."""
    any_batch = len(shape) == 4 and (shape[0] == 1 or not isinstance(shape[0], int))
    return any_batch and (shape[3] in _CHANNELS or _has_channels_first(shape))


def _has_channels_first(shape: list[Any]) -> bool:
    return shape[1] in _CHANNELS and shape[3] not in _CHANNELS
