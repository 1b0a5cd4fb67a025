"""What any model file is made of, whatever its format."""

import math
from dataclasses import dataclass, field
from typing import Any

_MAX_DEPTH = 20


@dataclass(frozen=True)
class Tensor:
    """An input or output. shape: numbers, names of free axes, and -1 for a free axis without a name."""

    name: str
    type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        sides = ("any" if side == -1 else str(side) for side in self.shape)
        return f"{self.name}: {self.type} [{', '.join(sides)}]"


@dataclass(frozen=True)
class Structure:
    """What the file itself says, read without running it.

    operators: nodes of the graph, or layers of a Keras file, by type. weights: stored values by number type.
    samples: sample images inside, by set. remark: what could not be read, and what to do about it.
    """

    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    operators: dict[str, int] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    card_text: str | None = None
    remark: str = ""


def plain(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """What a stranger's JSON holds, so that any JSON can hold it: NaN and infinity as text, nothing nested without end."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and not depth:
        return "..."
    if isinstance(value, dict):
        return {name: plain(inner, depth - 1) for name, inner in value.items()}
    return [plain(inner, depth - 1) for inner in value] if isinstance(value, list) else value
