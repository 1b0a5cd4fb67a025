"""A file of lines that only ever grows: one writer at a time, nothing half-written, nothing of others touched."""

import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.storage.atomic_write import cannot_write

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SYNC_EVERY_S = 10.0
_CHUNK_BYTES = 1 << 20


class AppendOnlyFile:
    """Locked for as long as it is open; a last line without its end, as a kill leaves it, is cut off when it is opened.

    what: what it is, such as `journal`, for sentences. beginning: how such a file begins, when it is not empty; another one
    is never touched. cure: what to do when it is none. writer: who has a locked file open. Raises OutputError where it
    cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        beginning: bytes,
        cure: str,
        writer: Callable[[Path], str] = lambda path: "another process",
    ) -> None:
        self.path = path
        self._what, self._cure, self._writer = what, cure, writer
        self._synced = time.monotonic()
        try:
            # No wait for the other end of a pipe, and no line ends of Windows; O_CLOEXEC is Python's default.
            as_it_is = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | as_it_is, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from None
        try:
            self._claim()
            self._check(beginning)
            self._end = self._last_end()
            self._cut()
        except BaseException:
            os.close(self._file)
            raise

    @property
    def is_empty(self) -> bool:
        return self._end == 0

    def append(self, data: bytes) -> None:
        """Whole lines in one write, or nothing of them. Raises OutputError."""
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

    def close(self) -> None:
        """Everything to the disk, and the lock given back. Raises OutputError."""
        try:
            self.sync()
        finally:
            os.close(self._file)

    def duplicate(self) -> int:
        """A descriptor to read from: a file that is locked on an SMB share can be read through the one that has the lock."""
        return os.dup(self._file)

    def _claim(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise OutputError(f"{self.path} is no regular file, so it cannot be a {self._what}; {self._cure}")
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            writer = self._writer(self.path)
            raise OutputError(f"{self.path} is being written by {writer}; wait for it, or use another -o") from None
        except OSError as error:
            raise cannot_write(self.path, error) from None
        if not os.path.exists(self.path) or not os.path.samestat(os.fstat(self._file), os.stat(self.path)):
            raise OutputError(f"{self.path} was just moved away by another process; run the command again")

    def _check(self, beginning: bytes) -> None:
        """Nothing that is something else may be cut, cleared or appended to."""
        with open(self.duplicate(), "rb") as file:
            file.seek(0)
            found = file.read(len(beginning))
        if not beginning.startswith(found):
            raise OutputError(f"{self.path} is there already and is no {self._what}; {self._cure}, or remove it")

    def _last_end(self) -> int:
        """Where the last whole line ends."""
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

    def _cut(self) -> None:
        with contextlib.suppress(OSError):  # what stays behind has no end, and is cut off by the next one who opens it
            os.ftruncate(self._file, self._end)
