"""Commands on a pseudo-terminal, as a person sees them."""

import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Sequence
from contextlib import suppress

DEADLINE_S = 60


class OnTerminal:
    """A command whose stdout and stderr are one terminal, or one of them only, and the other goes nowhere."""

    def __init__(self, line: Sequence[object], *, columns: int = 100, streams: Sequence[str] = ("stdout", "stderr")) -> None:
        self._reader, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        outputs = {name: terminal if name in streams else subprocess.DEVNULL for name in ("stdout", "stderr")}
        environment = os.environ | {"TERM": "xterm", "TZ": "UTC"}
        self.process = subprocess.Popen([*map(str, line)], env=environment, **outputs)  # type: ignore[call-overload]
        os.close(terminal)
        self.written = ""

    def read_until(self, text: str) -> str:
        """What was written so far, once `text` is part of it. At the end of the process, whatever there is."""
        with suppress(OSError):  # Linux: the other end is closed
            while text not in self.written and (data := os.read(self._reader, 65536)):
                self.written += data.decode()
        return self.written

    def finish(self) -> tuple[int, str]:
        """The exit status, and everything that was written."""
        self.read_until("\0")
        os.close(self._reader)
        return self.process.wait(DEADLINE_S), self.written


def on_a_terminal(*line: object, streams: Sequence[str] = ("stdout", "stderr")) -> str:
    """Run a command that ends well with a terminal as these streams, and return what it wrote there."""
    status, written = OnTerminal(line, streams=streams).finish()
    assert status == 0, written
    return written
