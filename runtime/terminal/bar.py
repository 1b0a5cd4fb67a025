"""The last line of a terminal, for a progress bar. Whatever a command prints meanwhile has lines of its own above it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock

_CLEAR = "\r\x1b[K"
_lock = RLock()  # reentrant, because a signal handler may print
_bars: list["Bar"] = []
"""The bars that are open; the last one is shown."""


class Bar:
    """draw: gives the line for a number of columns, and is called in any thread that prints.

    It writes to the descriptor and past `sys.stderr`, which holds a lock of its own while it calls `above_bar`.
    """

    def __init__(self, draw: Callable[[int], str]) -> None:
        self._draw = draw
        self._file = sys.stderr.fileno()
        self._is_mid_line = False

    def __enter__(self) -> "Bar":
        with above_bar():
            _bars.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        with above_bar(ends_line=not self._is_mid_line):
            _bars.remove(self)

    def redraw(self) -> None:
        """Show the present state. The cursor is left at the start of the line, where a terminal shows `^C`."""
        with _lock:
            if not self._is_mid_line and _bars[-1:] == [self]:
                self._write(f"\r{self._draw(terminal_width(self._file) - 1)}\x1b[K\r")

    def make_way(self, ends_line: bool) -> None:
        """Remove the line before something is printed. ends_line: whether that ends with a line feed."""
        if not self._is_mid_line:
            self._write(_CLEAR)
        self._is_mid_line = not ends_line

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal was closed, and the work goes on
            os.write(self._file, text.encode(sys.stderr.encoding or "utf-8", "replace"))


def has_terminal() -> bool:
    """Whether stderr is a terminal on which a line can be written again."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    from rich.console import detect_legacy_windows

    return not detect_legacy_windows()


def terminal_width(descriptor: int) -> int:
    """The columns of the terminal behind a descriptor; 80 if it does not say."""
    for each in (descriptor, 0, 1, 2):  # Windows only knows the last three
        with suppress(OSError, ValueError):
            if columns := os.get_terminal_size(each).columns:
                return columns
    return 80


@contextmanager
def above_bar(*, ends_line: bool = True) -> Iterator[None]:
    """Remove the bar while something is printed on its terminal, and show it again below.

    ends_line: whether the text ends with a line feed. If not, the bar stays away until another text ends the line.
    """
    with _lock:
        if _bars:
            _bars[-1].make_way(ends_line)
        try:
            yield
        finally:
            _redraw()


def _redraw() -> None:
    if _bars:
        _bars[-1].redraw()
