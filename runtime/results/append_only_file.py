"""A file of lines that only grows: one writer at a time, no half-written lines, and files of other kinds stay untouched."""

import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.storage.atomic_write import cannot_write
from edgeclf.runtime.storage.lock import is_at, try_lock

_SYNC_EVERY_S = 10.0
_CHUNK_BYTES = 1 << 20


class AppendOnlyFile:
    """Stays locked while it is open. If a kill left a last line without its newline, opening the file cuts it off.

    kind: what the file is, such as `journal`, for error messages. beginning: the first bytes of every such file; a file
    that begins otherwise is never changed. advice: what the user can do then. writer: describes the process that has
    locked the file. or_else: what the user can do instead of waiting for it. Raises OutputError if the file cannot be
    opened.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        beginning: bytes,
        advice: str,
        writer: Callable[[Path], str] = lambda path: "another process",
        *,
        or_else: str = "use another -o",
    ) -> None:
        self.path = path
        self._kind, self._advice, self._writer, self._or_else = kind, advice, writer, or_else
        self._synced_at = time.monotonic()
        try:
            # O_NONBLOCK: a named pipe must not wait for its reader. O_BINARY: no line ends of Windows.
            flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | flags, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from None
        try:
            self._lock()
            self._check_beginning(beginning)
            self._end = self._find_end()
            self._truncate()
        except BaseException:
            os.close(self._file)
            raise

    @property
    def is_empty(self) -> bool:
        return self._end == 0

    def append(self, data: bytes) -> None:
        """Append whole lines in one write, or nothing of them. Raises OutputError."""
        try:
            written = os.write(self._file, data)
            while written < len(data):  # a disk that runs full takes some of it first
                written += os.write(self._file, data[written:])
        except OSError as error:
            self._truncate()
            raise cannot_write(self.path, error) from None
        self._end += len(data)
        if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Flush to the disk, in case the power fails. Raises OutputError."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from None
        self._synced_at = time.monotonic()

    def clear(self) -> None:
        """Remove all lines."""
        self._end = 0
        self._truncate()

    def close(self) -> None:
        """Flush to the disk and release the lock. Raises OutputError."""
        try:
            self.sync()
        finally:
            os.close(self._file)

    def duplicate(self) -> int:
        """A descriptor to read from. On an SMB share, only the descriptor that holds the lock can read a locked file."""
        return os.dup(self._file)

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise OutputError(f"{self.path} is not a regular file, so it cannot be a {self._kind}; {self._advice}")
        try:
            is_locked = try_lock(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from None
        if not is_locked:
            writer = self._writer(self.path)
            raise OutputError(f"{self.path} is being written by {writer}; wait for it to finish, or {self._or_else}")
        if not is_at(self._file, self.path):
            raise OutputError(f"{self.path} was just moved away by another process; run the command again")

    def _check_beginning(self, beginning: bytes) -> None:
        """A file of another kind must not be truncated, cleared or appended to."""
        with open(self.duplicate(), "rb") as file:
            file.seek(0)
            found = file.read(len(beginning))
        if not beginning.startswith(found):
            raise OutputError(f"{self.path} already exists and is not a {self._kind}; {self._advice}, or remove it")

    def _find_end(self) -> int:
        """The offset after the last whole line."""
        end = os.fstat(self._file).st_size
        with open(self.duplicate(), "rb") as file:
            while end:
                start = max(0, end - _CHUNK_BYTES)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0

    def _truncate(self) -> None:
        with contextlib.suppress(OSError):  # what then remains has no newline, and is cut off when the file is next opened
            os.ftruncate(self._file, self._end)
