"""A real pseudo-terminal of any width, and what a person sees on it."""

import io
import os
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_STEP = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n\b])|([^\x1b\r\n\b]+)|(.)", re.DOTALL)


class Screen:
    """The lines that a terminal shows after some text. It knows what our commands send, and refuses other sequences.

    seen: every state of a line of the screen before it was written over.
    """

    def __init__(self, text: str, columns: int) -> None:
        self.seen: list[str] = []
        self._columns = columns
        self._continued: set[int] = set()
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        for match in _STEP.finditer(text):
            self._take(match)

    @property
    def lines(self) -> list[str]:
        """As they were printed: what the terminal broke because of its width is put together again."""
        found: list[str] = []
        for number, row in enumerate(self._rows):
            text = "".join(row)
            found[-1:] = [found[-1] + text] if number in self._continued else [*found[-1:], text]
        return [line.rstrip() for line in found]

    def _take(self, match: re.Match[str]) -> None:
        parameter, command, control, characters, unknown = match.groups()
        if characters:
            for character in characters:
                self._put(character)
        elif control == "\n":
            self._feed_line()
        elif control == "\r":
            self.seen.append("".join(self._rows[self._row]).rstrip())
            self._column = 0
        elif command == "K":
            del self._rows[self._row][0 if parameter == "2" else self._column :]
        elif command != "m" or unknown or control:
            raise AssertionError(f"not understood: {match[0]!r}")

    def _put(self, character: str) -> None:
        if self._column == self._columns:
            self._column = 0
            self._feed_line()
            self._continued.add(self._row)
        row = self._rows[self._row]
        row.extend(" " * (self._column + 1 - len(row)))
        row[self._column] = character
        self._column += 1

    def _feed_line(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])


def run_in_terminal(words: Sequence[str | Path], columns: int, cwd: Path) -> tuple[int, str]:
    """Run a command with stdout and stderr on one terminal: its exit code, and all that it sent."""
    with _terminal(columns) as (terminal, received):
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        done = subprocess.run(
            [Path(sys.executable).with_name(str(words[0])), *words[1:]],
            cwd=cwd,
            env=environment | {"TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            timeout=120,
            check=False,
        )
    return done.returncode, b"".join(received).decode()


def shown_in_terminal(show: Callable[[], object], columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a function of this process sends to a terminal, on stdout and stderr."""
    with _terminal(columns) as (terminal, received), monkeypatch.context() as patch:
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm-256color")
        with io.TextIOWrapper(io.FileIO(os.dup(terminal), "w"), "utf-8", write_through=True) as stream:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            show()
    return b"".join(received).decode()


@contextmanager
def _terminal(columns: int) -> Iterator[tuple[int, list[bytes]]]:
    """A terminal to write to, and what arrives; complete after the block."""
    reader, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (50, columns))
    received: list[bytes] = []
    listener = threading.Thread(target=_listen, args=(reader, received), daemon=True)
    listener.start()
    try:
        yield terminal, received
    finally:
        os.close(terminal)
        listener.join(10)
        os.close(reader)


def _listen(reader: int, received: list[bytes]) -> None:
    try:
        while data := os.read(reader, 65536):
            received.append(data)
    except OSError:  # Linux reports the end as an error
        pass
