"""Where rows go: CSV or JSON lines, in a file or on stdout; Parquet; an SQLite database. All have the same columns."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.text_sinks import CsvWriter, JsonLinesWriter
from edgeclf.runtime.storage.atomic_write import cannot_write, publish

STDOUT = "-"


class Writer(Protocol):
    """Rows on their way into one file of one format. What it cannot write is an OSError."""

    def write(self, row: Row) -> None: ...

    def flush(self) -> None:
        """Hand on what can be handed on so far."""
        ...

    def finish(self) -> None:
        """Write whatever is still to be written after the last row."""
        ...

    def close(self) -> None:
        """Let go of the file, finished or not."""
        ...


class Sink:
    """Takes rows one by one. place: where they are for now, `FILE.part` or stdout. keeps_rows: whether they stay there when
    the run ends before its time.
    """

    def __init__(self, file: BinaryIO, open_writer: Callable[[BinaryIO], Writer], *, keeps_rows: bool = True) -> None:
        self.keeps_rows = keeps_rows
        self.place = Path(str(file.name))
        self.rows = 0
        try:
            self._writer = open_writer(file)
        except OSError as error:
            raise self._sentence(error) from None

    def write(self, row: Row) -> None:
        """Append one row. Raises OutputError when the disk is full or gone, BrokenPipeError when the reader is."""
        try:
            self._writer.write(row)
        except OSError as error:
            raise self._sentence(error) from None
        self.rows += 1

    def flush(self) -> None:
        """Hand on what is buffered, as far as the format lets it. Raises as `write` does."""
        try:
            self._writer.flush()
        except OSError as error:
            raise self._sentence(error) from None

    def finish(self) -> None:
        """Complete the file. Raises as `write` does."""
        try:
            self._writer.finish()
        except OSError as error:
            raise self._sentence(error) from None

    def close(self) -> None:
        """Let go of the file; one that is not complete is about to be removed, so nothing is said of it."""
        with suppress(OSError):
            self._writer.close()

    def _sentence(self, error: OSError) -> Exception:
        return error if isinstance(error, BrokenPipeError) else cannot_write(self.place, error)


@contextmanager
def open_sink(output: str, *, json_lines: bool = False) -> Iterator[Sink]:
    """A sink for `FILE.csv`, `.jsonl`, `.parquet`, `.sqlite` or `.db`, or `-`: stdout as CSV, or as JSON lines on request.

    A file gets its name when the block ends well. Otherwise CSV and JSON lines stay in `FILE.part`; the others are removed,
    because half of one cannot be read. Raises OutputError when the place cannot be written to, ModuleNotFoundError when the
    format's library is not installed; `check_output` does so beforehand.
    """
    suffix = _suffix(output, json_lines)
    open_writer = _FORMATS[suffix]()
    if output == STDOUT:
        sink = Sink(sys.stdout.buffer, open_writer)
        yield sink
        sink.finish()
        return
    keeps_rows = suffix in _LINES
    with publish(Path(output), keep_partial=keeps_rows) as file:
        sink = Sink(file, open_writer, keeps_rows=keeps_rows)
        try:
            yield sink
            sink.finish()
        finally:
            sink.close()


def check_output(output: str, json_lines: bool) -> None:
    """Raise what `open_sink` would raise, before anything is classified; creates nothing."""
    _FORMATS[_suffix(output, json_lines)]()
    path = Path(os.path.realpath(output))
    if output == STDOUT or (os.path.exists(path) and not os.path.isfile(path)):
        return
    try:
        os.stat(path.parent)
        with suppress(FileNotFoundError):
            os.lstat(path.with_name(path.name + ".part"))  # the name may be too long
    except OSError as error:
        raise cannot_write(path, error) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise cannot_write(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _suffix(output: str, json_lines: bool) -> str:
    path = Path(output)
    suffix = ".jsonl" if json_lines else ".csv"
    if output != STDOUT and (not os.path.exists(path) or os.path.isfile(path) or path.suffix.lower() in _LINES):
        suffix = path.suffix.lower()
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder; name a file in it, such as {path / 'results.csv'}")
    if suffix not in _FORMATS:
        raise OutputError(f"{path} ends in none of {' '.join(_FORMATS)}; the suffix chooses the format of the results")
    return suffix


def _parquet() -> Callable[[BinaryIO], Writer]:
    from edgeclf.runtime.results.parquet_sink import ParquetWriter

    return ParquetWriter


def _sqlite() -> Callable[[BinaryIO], Writer]:
    from edgeclf.runtime.results.sqlite_sink import SqliteWriter

    return SqliteWriter


_LINES = (".csv", ".jsonl")
_FORMATS: dict[str, Callable[[], Callable[[BinaryIO], Writer]]] = {
    ".csv": lambda: CsvWriter,
    ".jsonl": lambda: JsonLinesWriter,
    ".parquet": _parquet,
    ".sqlite": _sqlite,
    ".db": _sqlite,
}
