"""What the graph of a model file shows about its input and its output."""

from dataclasses import dataclass
from typing import Literal

from edgeclf.runtime.model.formats import ModelFormat

Weights = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class Network:
    """The one image that a network takes and the one row of scores that it returns.

    dtype: of the input: `float32`, `float16`, `uint8` or `int8`. scale, zero_point: of a quantised input, otherwise 1 and 0.
    size_hw: height and width; None for a side that the file leaves open. batch: the fixed batch size, or None.
    outputs: the number of scores per image; None if the file does not say it. output: the place of these scores among all
    that the network returns. last_operation: what makes the output, such as
    `Softmax`; see `last_operation.py`. producer: the tool that wrote the file, such as `pytorch`, or "".
    weights: the least precise type among its weights: `float32`, `float16` or `int8`.
    """

    format: ModelFormat
    dtype: str
    channels_first: bool
    size_hw: tuple[int | None, int | None]
    channels: Literal[1, 3]
    batch: int | None = None
    outputs: int | None = None
    output: int = 0
    last_operation: str = ""
    scale: float = 1.0
    zero_point: int = 0
    producer: str = ""
    weights: Weights = "float32"

    @property
    def is_quantised(self) -> bool:
        """Whether its input holds whole numbers that stand for others."""
        return self.dtype in ("uint8", "int8")
