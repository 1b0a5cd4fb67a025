"""The structure of a model file, whatever its format."""

import math
from dataclasses import dataclass, field
from typing import Any

from edgeclf.runtime.terminal.console import show_shape

_MAX_DEPTH = 20


@dataclass(frozen=True)
class Tensor:
    """An input or output. shape: the size of each axis, the name of a variable axis, or -1 for one without a name."""

    name: str
    type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.type} {show_shape(self.shape)}"


@dataclass(frozen=True)
class Structure:
    """What the file says about itself, read without running it.

    operators: number of graph nodes, or of layers in a Keras file, by type. weights: number of stored values by data type.
    metadata: what the author wrote into the file. samples: number of sample images inside, by set. remark: what is missing,
    and what to do about it.
    """

    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    operators: dict[str, int] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    card_text: str | None = None
    remark: str = ""


def json_safe(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Make values from untrusted JSON safe to write: NaN and infinity become text, and deep nesting is cut off."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and not depth:
        return "..."
    if isinstance(value, dict):
        return {name: json_safe(inner, depth - 1) for name, inner in value.items()}
    return [json_safe(inner, depth - 1) for inner in value] if isinstance(value, list) else value
