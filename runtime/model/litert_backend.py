"""The LiteRT backend. An interpreter can only be used by one thread, so each thread gets its own."""

import threading
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgeclf.runtime.errors import DeviceError, ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import batch_error, contract_error
from edgeclf.runtime.model.further_outputs import Shape
from edgeclf.runtime.model.output_contract import OutputLevels
from edgeclf.runtime.model.tflite_card import read_card
from edgeclf.runtime.terminal.console import show_shape


class LitertBackend:
    """A `.tflite` file with one uint8 input `[batch, H, W, C]`; its first output holds probabilities, quantised or not.

    The card of a file says which levels go in, so that only a file without one must take those of an image as they are.
    """

    device = "cpu"

    def __init__(self, path: Path, data: bytes, device: str, threads: int) -> None:
        if device not in ("auto", "cpu"):
            raise DeviceError(
                f"LiteRT runs {path.name} on the CPU only, not on {device}; use the .onnx file or --device cpu"
            )
        self.engine = f"LiteRT {metadata.version('ai-edge-litert')}"
        self._data = data
        self._threads = threads
        self._local = threading.local()
        try:
            runner = _Runner(data, threads)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path} is not a TFLite model that {self.engine} can load ({first_line(error)})") from None
        self._local.runner = runner
        self.card_text = read_card(data)
        has_card = self.card_text is not None
        self.input_shape = runner.input_shape(path, has_card=has_card)
        self.output_levels = runner.output_levels()
        self.one_by_one = has_card and runner.takes_one_image

    def run(self, images: Pixels) -> NDArray[np.float32]:
        if self.one_by_one and len(images) > 1:
            return np.concatenate([self._run(images[number : number + 1]) for number in range(len(images))])
        return self._run(images)

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        return self._runner().output_shapes()

    def run_outputs(self, images: Pixels, places: Sequence[int]) -> list[NDArray[np.float32]]:
        runner = self._runner()
        self._run(images)
        return [runner.output(place) for place in places]

    def _runner(self) -> "_Runner":
        """The interpreter of this thread."""
        runner: _Runner | None = getattr(self._local, "runner", None)
        if runner is None:
            runner = self._local.runner = _Runner(self._data, self._threads)
        return runner

    def _run(self, images: Pixels) -> NDArray[np.float32]:
        runner = self._runner()
        try:
            return runner.run(images)
        except (RuntimeError, ValueError) as error:
            raise batch_error(len(images), error) from None


class _Runner:
    """One interpreter. Its input is resized when the shape of the batch changes."""

    def __init__(self, data: bytes, threads: int) -> None:
        self._interpreter = Interpreter(model_content=data, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        self._outputs: list[dict[str, Any]] = self._interpreter.get_output_details()
        self._output = self._outputs[0]
        self._shape = tuple(self._inputs[0]["shape"].tolist())

    @property
    def takes_one_image(self) -> bool:
        """Whether the file says that its graph takes batches of one image. Files without a card seldom mean it."""
        return bool(self._inputs[0]["shape_signature"][0] == 1)

    def input_shape(self, path: Path, *, has_card: bool) -> tuple[int, int, int]:
        details = self._inputs[0]
        if len(self._inputs) != 1 or details["dtype"] is not np.uint8 or len(details["shape"]) != 4:
            found = ", ".join(f"{np.dtype(d['dtype']).name} {show_shape(d['shape_signature'])}" for d in self._inputs)
            raise contract_error(path, found)
        scale, zero_point = details["quantization"]
        if not has_card and (scale, zero_point) not in ((0.0, 0), (1.0, 0)):
            raise contract_error(path, f"uint8 scaled by {scale} from {zero_point}")
        _, *sides, channels = details["shape_signature"].tolist()
        if channels not in (1, 3) or min(sides) < 1:
            raise contract_error(path, f"uint8 {show_shape(details['shape_signature'])}")
        return (sides[0], sides[1], channels)

    def output_levels(self) -> OutputLevels | None:
        scale, zero_point = _steps(self._output)
        if not scale:
            return None
        stored = np.iinfo(self._output["dtype"])
        return OutputLevels(scale, (stored.min - zero_point) * scale, (stored.max - zero_point) * scale)

    def run(self, images: Pixels) -> NDArray[np.float32]:
        if images.shape != self._shape:
            self._interpreter.resize_tensor_input(self._inputs[0]["index"], images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._inputs[0]["index"], images)
        self._interpreter.invoke()
        return self._numbers(self._output)

    def output_shapes(self) -> tuple[Shape, ...]:
        signatures = [output["shape_signature"].tolist() for output in self._outputs]
        return tuple(tuple(None if side < 0 else int(side) for side in one) for one in signatures)

    def output(self, place: int) -> NDArray[np.float32]:
        """One of the outputs for the images that ran last."""
        return self._numbers(self._outputs[place])

    def _numbers(self, output: dict[str, Any]) -> NDArray[np.float32]:
        raw: NDArray[Any] = self._interpreter.get_tensor(output["index"])
        scale, zero_point = _steps(output)
        if not scale:
            return np.asarray(raw, np.float32)
        return (raw.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _steps(output: dict[str, Any]) -> tuple[float, int]:
    """Scale and zero point of whole numbers; for a float, they are only a note of its range."""
    steps: tuple[float, int] = output["quantization"] if np.issubdtype(output["dtype"], np.integer) else (0.0, 0)
    return steps
