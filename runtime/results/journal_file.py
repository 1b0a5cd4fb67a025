"""The journal's file: lines of JSON, one of which says which process is writing."""

import contextlib
import json
import os
import socket
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.append_only_file import AppendOnlyFile

Line = dict[str, Any]
VERSION_KEY, VERSION = "edgeclf_journal", 2
"""The first line of every journal begins with these."""
_BEGINNING = f'{{"{VERSION_KEY}":'.encode()
_to_json = json.JSONEncoder(separators=(",", ":")).encode  # ASCII: a name that is not UTF-8 keeps its bytes as \udcXX
_from_json = json.JSONDecoder().raw_decode  # json.loads takes 1.5 times as long


class JournalFile(AppendOnlyFile):
    """Raises OutputError if the file cannot be opened, is not a journal, or is open in another process."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "journal", _BEGINNING, "name another with --journal", _describe_writer)

    def lines(self) -> Generator[Line, None, None]:
        """All lines, from the first. Raises OutputError for a damaged one."""
        with open(self.duplicate(), encoding="latin-1", newline="\n") as file:  # every byte is valid: JSON finds damage
            file.seek(0)
            for number, text in enumerate(file, 1):
                try:
                    line, end = _from_json(text)
                except ValueError:
                    line, end = None, 0
                if not isinstance(line, dict) or end != len(text) - 1:
                    advice = f"keep the lines before it (head -n {number - 1} {self.path}), or start again with --restart"
                    raise OutputError(f"line {number:,} of {self.path} is damaged; {advice}")
                yield line

    def write(self, lines: Iterable[Line]) -> None:
        """Append all lines in one write, or none of them. Raises OutputError."""
        self.append("".join([_to_json(line) + "\n" for line in lines]).encode("ascii"))

    def write_session(self) -> None:
        """Write which process this is, for the error message of another one that finds the file locked."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self.write([{"session": {"process": os.getpid(), "host": socket.gethostname(), "started": started}}])

    def contains(self, text: bytes) -> bool:
        """Whether any line contains the text."""
        with open(self.duplicate(), "rb") as file:
            file.seek(0)
            return any(text in line for line in file)


def _describe_writer(path: Path) -> str:
    """The process that has locked the file, according to the last session in it."""
    sessions: list[bytes] = []
    with contextlib.suppress(OSError), open(path, "rb") as file:
        sessions = [line for line in file if line.startswith(b'{"session"') and line.endswith(b"\n")]
    if not sessions:
        return "another process"
    session = json.loads(sessions[-1])["session"]
    return f"process {session['process']} on {session['host']} since {session['started']}"
