"""Signals that ask a long run to end: the first lets it finish what it has begun, the second ends it at once."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import TypeVar

from edgeclf.runtime.terminal.console import Terminated, note

_Item = TypeVar("_Item")
_ONE_SIGNAL_S = 0.3
"""`timeout` signals a process and then its group: that is one request, and not two."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While it is entered, SIGINT and SIGTERM are only noted; a second one ends the process like SIGKILL."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The one that came."""
        self._came = 0.0
        self._former = {number: signal.getsignal(number) for number in _SIGNALS}

    def __enter__(self) -> "Interrupts":
        for number in _SIGNALS:
            signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def until(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items up to the signal. What draws them must go on drawing, or it is not noticed."""
        for item in items:
            if self.signal is not None:
                note("finishing the images in flight; once more, and it ends at once")
                return
            yield item

    def pass_on(self) -> None:
        """Raise what the signal would have raised: KeyboardInterrupt or Terminated. Nothing where none came."""
        if self.signal is not None:
            raise Terminated if self.signal == signal.SIGTERM else KeyboardInterrupt

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and time.monotonic() - self._came < _ONE_SIGNAL_S:
            return
        if self.signal is not None:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # the progress bar has hidden the cursor
            os._exit(128 + number)
        self.signal, self._came = number, time.monotonic()
