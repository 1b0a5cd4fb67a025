"""The progress of a long step: how much is done, how fast, and how long the rest will take."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.bar import Bar, has_terminal
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape, one_line
from edgeclf.runtime.terminal.notebook import in_notebook, update_line
from edgeclf.runtime.terminal.plural import noun_for, per_second

_MIN_BAR, _MAX_BAR = 5, 30
_GAP = "  "
_REDRAW_S = 0.1
_UPDATE_S = 0.5  # a browser needs longer than a terminal


class Progress:
    """Shows the progress of a step: a bar on a terminal, one line that is updated in a notebook, and elsewhere a line every
    `every_s` seconds.

    unit: what is counted, in the singular. detail: what is shown beside the bar if there is room. later: units that come
    after `total`; they count in the time that is left.
    """

    def __init__(self, label: str, total: int | None = None, unit: str = "image", *, every_s: float = 10.0) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.new = 0
        self.unit = unit
        self.detail = ""
        self.later = 0
        self._every_s = every_s
        self._started = self._printed = time.monotonic()
        self._drawn = 0.0
        self._bar: Bar | None = None
        self._is_in_notebook = False

    def __enter__(self) -> "Progress":
        self._is_in_notebook = in_notebook()
        if has_terminal():
            self._bar = Bar(self._draw)
            self._bar.__enter__()
        return self

    def start_at(self, done: int) -> None:
        """Count `done` units as finished earlier: they count as progress, but not in the rate."""
        self.done = done

    def restart(self, label: str, later: int) -> None:
        """Begin another part, as long as the last one; the rate stays that of all parts."""
        self.label, self.done, self.later = label, 0, later

    def advance(self, count: int = 1, detail: str = "") -> None:
        """Count `count` more units as done; `detail` is shown beside the bar until the next detail."""
        self.done += count
        self.new += count
        self.detail = detail or self.detail
        if self.total and self.done > self.total:
            self.total = None  # some things cannot be counted in advance, such as the frames of videos in a list
        now = time.monotonic()
        if self._bar and (now - self._drawn >= _REDRAW_S or self.done == self.total):
            self._drawn = now
            self._bar.redraw()
        elif self._is_in_notebook:
            if now - self._drawn >= _UPDATE_S or self.done == self.total:
                self._drawn = now
                update_line(one_line(self._line()))
        elif not self._bar and now - self._printed >= self._every_s:
            self._printed = now
            note(self._line())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.__exit__()

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

    def _time_left(self) -> str:
        if not self.total or not self.new:
            return ""
        minutes, seconds = divmod(round((max(0, self.total - self.done) + self.later) / self.rate), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"

    def _line(self) -> str:
        of_total = f" of {self.total:,}" if self.total else ""
        facts = [f"{self.label}: {self.done:,}{of_total} {self._noun}", self._rate(), self._time_left()]
        return ", ".join(filter(None, facts)) + (f"{_GAP}{self.detail}" if self.detail else "")

    def _rate(self) -> str:
        return per_second(self.rate, self.unit) if self.new else ""

    def _draw(self, width: int) -> str:
        """The bar, the numbers beside it and, as far as there is room, nouns and the detail: at most `width` columns."""
        from rich.cells import cell_len, set_cell_size

        label, detail = escape(self.label), escape(self.detail)
        count = f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"
        least_bar = _MIN_BAR if self.total else 0
        rate = self._rate()
        short_rate = rate.replace(f" {noun_for(2, self.unit)}", "")
        for done, speed in ((f"{count} {self._noun}", rate), (count, rate), (count, short_rate)):
            numbers = _GAP.join(filter(None, [done, speed, self._time_left()]))
            room = width - cell_len(numbers) - len(_GAP) * (2 if self.total else 1) - cell_len(label)
            if room >= least_bar:
                break
        if room < least_bar:
            label = set_cell_size(label, max(0, cell_len(label) + room - least_bar))
            room = least_bar
        with_detail = room - cell_len(detail) - len(_GAP)
        if detail and with_detail >= least_bar:
            numbers, room = f"{numbers}{_GAP}{detail}", with_detail
        return _GAP.join(filter(None, [label, self._stroke(min(room, _MAX_BAR)), numbers]))

    def _stroke(self, width: int) -> str:
        if not self.total:
            return ""
        full = width * self.done // self.total
        return "━" * full + "─" * (width - full)
