"""Which frames of a video are classified: neighbours look nearly the same, and each costs as much as any other image."""

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import parse_duration
from edgeclf.runtime.terminal.flags import Text

SOURCES_PANEL = "Sources"
"""The help section of options about sources."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """stride: take every Nth frame, from the first one on. every_s: take the first frame at or after each multiple of it."""

    stride: Annotated[
        int,
        typer.Option(
            "--vid-stride",
            min=1,
            help="Classify only every Nth frame of videos and numbered images.",
            metavar="N",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = 1
    every_s: Annotated[
        float | None,
        Text(partial(parse_duration, "--every")),
        typer.Option(
            "--every",
            help="Classify only one frame per TIME of videos and cameras, such as 2s or 0.5s.",
            metavar="TIME",
            rich_help_panel=SOURCES_PANEL,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise OptionError(f"--vid-stride takes a whole number from 1, not {self.stride}")
        if self.every_s is not None and not self.every_s >= 0.001:
            raise OptionError(f"--every takes a millisecond or more, not {self.every_s:g} s")
        if self.every_s is not None and self.stride != 1:
            raise OptionError("--vid-stride counts frames and --every counts seconds; give one of them")

    def slot(self, number: int, position_ms: int) -> int:
        """The slot of frame `number` (from 0) at `position_ms`; only the first frame of each slot is taken."""
        return number // self.stride if self.every_s is None else position_ms // round(self.every_s * 1000)

    def count(self, frames: int, duration_s: float) -> int:
        """About how many frames are taken of a video of this length."""
        taken = frames / self.stride if self.every_s is None else duration_s / self.every_s
        return max(1, ceil(taken))


EVERY_FRAME = Sampling()
