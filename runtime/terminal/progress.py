"""The progress of a long step: how much is done, how fast, and how long the rest will take."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.console import note, stderr_console
from edgeclf.runtime.terminal.plural import noun_for
from edgeclf.runtime.terminal.streams import data_stream

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


class Progress:
    """Shows the progress of a step: a bar on a terminal, a line every `every_s` seconds elsewhere.

    unit: what is counted, in the singular.
    """

    def __init__(self, label: str, total: int | None = None, unit: str = "image", *, every_s: float = 10.0) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.new = 0
        self.unit = unit
        self.detail = ""
        self._every_s = every_s
        self._started = self._printed = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task(self.label, total=self.total, noun=self._noun, rate="", detail="")
            self._bar.start()
        return self

    def start_at(self, done: int) -> None:
        """Count `done` units as finished earlier: they count as progress, but not in the rate."""
        self.done = done
        if self._bar:
            self._bar.reset(self._task, completed=done)

    def advance(self, count: int = 1, detail: str = "") -> None:
        """Count `count` more units as done; `detail` is shown beside the bar until the next detail."""
        self.done += count
        self.new += count
        self.detail = detail or self.detail
        if self.total and self.done > self.total:
            self.total = None  # some things cannot be counted in advance, such as the frames of videos in a list
        if self._bar:
            rate = f"{self.rate:,.0f} {noun_for(2, self.unit)}/s" if self.rate >= 10 else ""
            self._bar.update(
                self._task, completed=self.done, total=self.total, noun=self._noun, rate=rate, detail=self.detail
            )
        elif time.monotonic() - self._printed >= self._every_s:
            self._printed = time.monotonic()
            note(self._line())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the bar while something is written to stdout, if both are on one terminal."""
        bar = self._bar if data_stream().isatty() else None
        if bar:
            bar.stop()
        try:
            yield
        finally:
            if bar:
                bar.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Units per second since the start."""
        return self.new / max(self.elapsed_s, 1e-9)

    def count_in_background(self, count: Callable[[], int]) -> None:
        """Set the total to `count()`, which runs beside the work; 0 means that the total is unknown."""

        def learn() -> None:
            with suppress(EdgeclfError, OSError):  # the work itself meets the same error and reports it
                self.total = count() or None

        threading.Thread(target=learn, daemon=True).start()

    @property
    def _noun(self) -> str:
        return noun_for(self.total or self.done, self.unit)

    def _line(self) -> str:
        of_total = f" of {self.total:,}" if self.total else ""
        left = ""
        if self.total and self.new:
            seconds = round(max(0, self.total - self.done) / self.rate)
            left = f", {seconds // 60}:{seconds % 60:02} left"
        rate = f", {self.rate:,.1f}/s" if self.rate >= 1 else ""
        return f"{self.label}: {self.done:,}{of_total} {self._noun}{rate}{left}{'  ' + self.detail if self.detail else ''}"


def _bar() -> "RichProgress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[noun]}  {task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    return Progress(*columns, console=stderr_console(), transient=True)
