"""stdout and stderr of a command: a reader that has ended, a full disk and a closed stream end nothing with a traceback."""

import faulthandler
import io
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO

from edgeclf.runtime.terminal.bar import above_bar

_data: TextIO | None = None


class StdoutError(BaseException):
    """stdout takes no more. Not an OSError, which would be taken for one of a file, or turned into exit code 1.

    detail: what went wrong; empty if the reader has ended, as `head` does, which is no error.
    """

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


def take_over_streams() -> None:
    """Prepare this process's stdout and stderr. Raises StdoutError if stdout is closed.

    From now on, writing to stdout raises StdoutError if it fails, and takes any file name. Writing to stderr never fails:
    lines that nobody can read are lost, and the command goes on. What native libraries print is hidden, on stdout as well.
    """
    if sys.stdout is None:  # the next file that is opened would take its place
        _lead_to_null(1)
    _take_over_stderr()
    take_over_stdout()


def take_over_stdout() -> None:
    """Prepare only stdout, as `take_over_streams` does. What native libraries print there goes to stderr."""
    if sys.stdout is None:
        raise StdoutError("it is closed; send it to a file, or to /dev/null")
    own = sys.__stdout__
    if own is None or sys.stdout is not own:  # the command was called from Python, which has put something else in its place
        return
    own.flush()
    raw = _Stdout(os.dup(own.fileno()), "w")
    raw.name = own.name
    os.dup2(2, own.fileno())  # native libraries write to file descriptor 1 itself
    buffer = io.BufferedWriter(raw)
    sys.stdout = io.TextIOWrapper(buffer, own.encoding, errors="surrogateescape", line_buffering=raw.isatty())
    sys.__stdout__ = sys.stdout  # type: ignore[misc]  # the width of the terminal is asked there


@contextmanager
def stdout_for_data_only() -> Iterator[None]:
    """Inside the block, only `data_stream` leads to stdout. What libraries print goes to stderr: Keras reports downloads."""
    global _data
    if _data is not None:
        yield
        return
    data, own = sys.stdout, sys.__stdout__
    _data, sys.stdout, sys.__stdout__ = data, sys.stderr, sys.__stderr__  # type: ignore[misc]
    try:
        yield
    finally:
        _data, sys.stdout, sys.__stdout__ = None, data, own  # type: ignore[misc]


def data_stream() -> TextIO:
    """Stdout, for what a command was asked for: nothing else may be written to it."""
    return _data or sys.stdout


class _Stdout(io.FileIO):
    name: str

    def write(self, data: "io.ReadableBuffer") -> int:  # type: ignore[name-defined]
        try:
            with _above_bar(self, data):
                return super().write(data)
        except OSError as error:
            _lead_to_null(self.fileno())  # otherwise the flush at exit fails again
            raise StdoutError("" if isinstance(error, BrokenPipeError) else error.strerror or str(error)) from None


class _Stderr(io.FileIO):
    def write(self, data: "io.ReadableBuffer") -> int:  # type: ignore[name-defined]
        try:
            with _above_bar(self, data):
                return super().write(data)
        except OSError:
            _lead_to_null(self.fileno())
            return len(data)


def _above_bar(stream: io.FileIO, data: "io.ReadableBuffer") -> AbstractContextManager[None]:  # type: ignore[name-defined]
    """Here, and not where messages are made, because the warnings of libraries come this way, too."""
    return above_bar(ends_line=bytes(data[-1:]) == b"\n") if stream.isatty() else nullcontext()


def _take_over_stderr() -> None:
    """Hide what native libraries (libpng, TensorFlow, XNNPACK) print on stderr, because it means nothing to users.

    They write to file descriptor 2, which now leads to the null device. Python, with its crash dumps, writes to a copy of
    the original. EDGECLF_VERBOSE=1 hides nothing.
    """
    if sys.stderr is None:
        _lead_to_null(2)
    else:
        sys.stderr.flush()
    is_verbose = bool(os.environ.get("EDGECLF_VERBOSE"))
    stream = _Stderr(2 if is_verbose else os.dup(2), "w")
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(stream), "utf-8", errors="backslashreplace", line_buffering=True)
    sys.__stderr__ = sys.stderr  # type: ignore[misc]
    if not is_verbose:
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        _lead_to_null(2)
    faulthandler.enable(sys.stderr)


def _lead_to_null(descriptor: int) -> None:
    """Let a descriptor, open or not, write to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
