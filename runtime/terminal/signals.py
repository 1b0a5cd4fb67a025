"""Signals that ask a long run to stop: the first lets it finish the work in progress, the second ends it at once."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import TypeVar

from edgeclf.runtime.terminal.console import Terminated, note

_Item = TypeVar("_Item")
_SAME_REQUEST_S = 0.3
"""Signals this close together count as one request: `timeout` signals a process and then its group."""
_WAIT_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, the first SIGINT or SIGTERM is recorded; a second one ends the process as SIGKILL would.

    Signals only reach the main thread, so in any other thread nothing is recorded. at_once: the first one also raises in the
    main thread, wherever that is. If a library swallows the exception, `pass_on` raises it again.
    """

    def __init__(self, at_once: bool = False) -> None:
        self.signal: int | None = None
        """The signal that was received."""
        self._at_once = at_once
        self._received_at = 0.0
        numbers = _SIGNALS if threading.current_thread() is threading.main_thread() else ()
        self._former_handlers = {number: signal.getsignal(number) for number in numbers}

    def __enter__(self) -> "Interrupts":
        for number in self._former_handlers:
            signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)

    def until(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield the items until a signal is received. It is noticed only when the next item is requested."""
        for item in items:
            if self.signal is not None:
                note("finishing the images in progress; interrupt again to stop at once")
                return
            yield item

    def wait(self) -> None:
        """Until a signal is received."""
        while self.signal is None:
            time.sleep(_WAIT_S)

    def pass_on(self) -> None:
        """Raise KeyboardInterrupt or Terminated, whichever the signal stands for. Does nothing without a signal."""
        if self.signal is not None:
            raise Terminated if self.signal == signal.SIGTERM else KeyboardInterrupt

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and time.monotonic() - self._received_at < _SAME_REQUEST_S:
            return
        if self.signal is not None:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), b"\n")  # the prompt of the shell gets a line below the progress bar
            os._exit(128 + number)
        self.signal, self._received_at = number, time.monotonic()
        if self._at_once:
            self.pass_on()
