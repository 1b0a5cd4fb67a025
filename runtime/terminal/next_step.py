"""The last line of a command: the command that comes next, ready to paste."""

import os
import shlex
from pathlib import Path

from edgeclf.runtime.terminal.console import note


def show_next(*words: str | Path) -> None:
    """Print `next: COMMAND` on stderr. Nothing is printed for a file name that a terminal cannot show and take back."""
    command = shlex.join(_as_argument(word) for word in words)
    if command.isprintable():
        note(f"next: {command}")


def _as_argument(word: str | Path) -> str:
    """A file whose name begins with a dash must not be read as an option."""
    text = os.fspath(word)
    return os.path.join(".", text) if isinstance(word, Path) and text.startswith("-") else text
