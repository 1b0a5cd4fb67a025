"""What is known about a model from another tool, and where each fact comes from."""

from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Literal, TypeVar

from edgeclf.runtime.images.preprocess import CropOffset, Fit, Resize
from edgeclf.runtime.model.card import Head

ChannelOrder = Literal["rgb", "bgr"]
NO_SOURCE = ("default", "guessed", "file names")
"""Origins of facts that no file and no flag has given."""
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Fact(Generic[_Value]):
    """origin: where the value comes from, such as `labels.txt`, `TFLite metadata` or `--classes`."""

    value: _Value
    origin: str


@dataclass(frozen=True)
class Scaling:
    """What a network takes: `(level - mean) / std` for a pixel of 0 to 255.

    mean, std: in levels; one number for all channels, or one per channel in the order in which the network takes them.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Facts:
    """Facts about a model; None where no source has said anything.

    classes: labels in the order of the outputs. channels: the order in which the network takes red, green and blue.
    size_hw: height and width of its images. resize, fit, crop_pct, crop_offset, pad_color: see `Preprocess`.
    head: what it returns: `softmax` (probabilities), `sigmoid` (one unit) or `logits`.
    tool: the convention that the file follows, such as `timm`; "" if none was recognised.
    """

    classes: Fact[tuple[str, ...]] | None = None
    scaling: Fact[Scaling] | None = None
    channels: Fact[ChannelOrder] | None = None
    size_hw: Fact[tuple[int, int]] | None = None
    resize: Fact[Resize] | None = None
    fit: Fact[Fit] | None = None
    crop_pct: Fact[float] | None = None
    crop_offset: Fact[CropOffset] | None = None
    pad_color: Fact[tuple[int, ...]] | None = None
    head: Fact[Head] | None = None
    tool: str = ""

    def over(self, others: "Facts") -> "Facts":
        """These facts, and those of `others` where these say nothing."""
        return replace(others, **{name: value for name, value in vars(self).items() if value})

    @classmethod
    def of(cls, origin: str, tool: str = "", **values: Any) -> "Facts":
        """Facts of one origin: values by the names of the fields; None for what the source does not say.

        A value may be a `Fact` already, with an origin of its own.
        """
        facts: dict[str, Any] = {
            name: value if isinstance(value, Fact) else Fact(value, origin) for name, value in values.items()
        }
        return replace(cls(tool=tool), **{name: fact for name, fact in facts.items() if fact.value is not None})

    def known(self) -> dict[str, Fact[Any]]:
        """The facts that a source has given, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Fact)}


NOTHING = Facts()
"""What is known when no source says anything."""
