"""The journal's file: JSON lines that only ever grow, one writer at a time, nothing half-written."""

import contextlib
import json
import os
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.publishing import cannot_write

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

Line = dict[str, Any]
_SYNC_EVERY_S = 10.0
_CHUNK_BYTES = 1 << 20
VERSION_KEY, VERSION = "edgeclf_journal", 1
"""How the first line of every journal begins."""
_BEGINNING = f'{{"{VERSION_KEY}":'.encode()
_to_json = json.JSONEncoder(separators=(",", ":")).encode  # ASCII: a name that is not UTF-8 keeps its bytes as \udcXX
_from_json = json.JSONDecoder().raw_decode  # json.loads takes half as long again


class JournalFile:
    """Locked for as long as it is open. Raises OutputError where it cannot be opened, or another process has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._synced = time.monotonic()
        try:
            # No wait for the other end of a pipe; O_CLOEXEC is Python's default.
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o666)
        except OSError as error:
            raise cannot_write(path, error) from None
        try:
            self._claim()
            self._check_beginning()
            self._end = self._last_end()
            self._cut()  # the part of a line that a kill has left
        except BaseException:
            os.close(self._file)
            raise

    def lines(self) -> Iterator[Line]:
        """Every line, from the first. Raises OutputError for one that is damaged."""
        with open(self._again(), encoding="latin-1", newline="\n") as file:  # every byte is valid: JSON finds damage
            file.seek(0)
            for number, text in enumerate(file, 1):
                try:
                    line, end = _from_json(text)
                except ValueError:
                    line, end = None, 0
                if not isinstance(line, dict) or end != len(text) - 1:
                    advice = f"keep those before it (head -n {number - 1} {self.path}), or begin anew with --restart"
                    raise OutputError(f"line {number:,} of {self.path} is damaged; {advice}")
                yield line

    def write(self, lines: Iterable[Line]) -> None:
        """Append all of them in one write, or none of them. Raises OutputError."""
        data = "".join([_to_json(line) + "\n" for line in lines]).encode("ascii")
        try:
            written = os.write(self._file, data)
            while written < len(data):  # a disk that is full takes a part first
                written += os.write(self._file, data[written:])
        except OSError as error:
            self._cut()
            raise cannot_write(self.path, error) from None
        self._end += len(data)
        if time.monotonic() - self._synced > _SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """To the disk, in case the power fails. Raises OutputError."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from None
        self._synced = time.monotonic()

    def clear(self) -> None:
        """Begin anew."""
        self._end = 0
        self._cut()

    def sign(self) -> None:
        """Say who is writing, for whoever finds the file locked."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self.write([{"session": {"process": os.getpid(), "host": socket.gethostname(), "started": started}}])

    def close(self) -> None:
        """Everything to the disk, and the lock given back. Raises OutputError."""
        try:
            self.sync()
        finally:
            os.close(self._file)

    def contains(self, text: bytes) -> bool:
        """Whether any line has this in it."""
        with open(self._again(), "rb") as file:
            file.seek(0)
            return any(text in line for line in file)

    def _check_beginning(self) -> None:
        """Nothing that is not a journal may be cut, cleared or appended to."""
        with open(self._again(), "rb") as file:
            file.seek(0)
            beginning = file.read(len(_BEGINNING))
        if not _BEGINNING.startswith(beginning):
            raise OutputError(f"{self.path} is there already and is no journal; name another with --journal, or remove it")

    def _claim(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise OutputError(f"{self.path} is no regular file, so it cannot be a journal; name another with --journal")
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{self.path} is being written by {self._writer()}; wait for it, or use another -o") from None
        except OSError as error:
            raise cannot_write(self.path, error) from None
        if not os.path.exists(self.path) or not os.path.samestat(os.fstat(self._file), os.stat(self.path)):
            raise OutputError(f"{self.path} was just moved away by another process; run the command again")

    def _writer(self) -> str:
        """Who has the lock, by the last signature."""
        signatures: list[bytes] = []
        with contextlib.suppress(OSError), open(self.path, "rb") as file:
            signatures = [line for line in file if line.startswith(b'{"session"') and line.endswith(b"\n")]
        if not signatures:
            return "another process"
        session = json.loads(signatures[-1])["session"]
        return f"process {session['process']} on {session['host']} since {session['started']}"

    def _last_end(self) -> int:
        """Where the last whole line ends."""
        end = os.fstat(self._file).st_size
        with open(self._again(), "rb") as file:
            while end:
                start = max(0, end - _CHUNK_BYTES)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0

    def _again(self) -> int:
        """A descriptor to read from: a file that is locked on an SMB share can be read through the one that has the lock."""
        return os.dup(self._file)

    def _cut(self) -> None:
        with contextlib.suppress(OSError):  # what stays behind has no end, and is cut off by the next one who opens it
            os.ftruncate(self._file, self._end)
