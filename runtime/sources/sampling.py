"""Which frames of a video are looked at: neighbours are nearly the same image, and cost as much as any other."""

from dataclasses import dataclass
from math import ceil

from edgeclf.runtime.errors import OptionError


@dataclass(frozen=True, slots=True)
class Sampling:
    """stride: the first of every so many frames. every_s: the first frame at or after each multiple of so many seconds."""

    stride: int = 1
    every_s: float | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise OptionError(f"--vid-stride takes a whole number from 1, not {self.stride}")
        if self.every_s is not None and not self.every_s >= 0.001:
            raise OptionError(f"--every takes a millisecond or more, not {self.every_s:g} s")
        if self.every_s is not None and self.stride != 1:
            raise OptionError("--vid-stride counts frames and --every counts seconds; give one of them")

    def slot(self, number: int, position_ms: int) -> int:
        """Frames in one slot stand for the same: of these the first is taken. number: of the frame, from 0."""
        return number // self.stride if self.every_s is None else position_ms // round(self.every_s * 1000)

    def count(self, frames: int, duration_s: float) -> int:
        """How many are taken of so many frames in so many seconds, about."""
        taken = frames / self.stride if self.every_s is None else duration_s / self.every_s
        return max(1, ceil(taken))


EVERY_FRAME = Sampling()
