"""Outputs for rows: CSV or JSON lines, in a file or on stdout; Parquet; SQLite; Excel. All have the same columns."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.columns import PLAIN, Schema
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.terminal_lines import ImageLines, is_for_people
from edgeclf.runtime.results.text_sinks import CsvWriter, ExcelWriter, JsonLinesWriter
from edgeclf.runtime.storage.atomic_write import cannot_write, publish, temporary_path
from edgeclf.runtime.storage.own_files import refuse_foreign
from edgeclf.runtime.terminal.console import STDOUT
from edgeclf.runtime.terminal.streams import data_stream


class FormatWriter(Protocol):
    """Writes rows into one file of one format. Raises OSError if it cannot."""

    def write(self, row: Row) -> None: ...

    def flush(self) -> None:
        """Write out what is buffered, if the format allows it."""
        ...

    def finish(self) -> None:
        """Write what the format needs after the last row."""
        ...

    def close(self) -> None:
        """Release the file, finished or not."""
        ...


class Format(Protocol):
    """Opens a writer."""

    def __call__(self, file: BinaryIO, schema: Schema) -> FormatWriter: ...

    def wrote(self, path: Path) -> bool:
        """Whether a file holds rows of a batch run in this format, and nothing else. Raises OSError."""
        ...


class Sink:
    """Takes rows one by one.

    path: where they are until the sink is finished, `FILE.part` or stdout. keeps_rows: whether they stay there if the run
    ends early.
    """

    def __init__(self, file: BinaryIO, open_writer: Callable[[BinaryIO], FormatWriter], *, keeps_rows: bool = True) -> None:
        self.keeps_rows = keeps_rows
        self.path = Path(str(file.name))
        self.rows = 0
        try:
            self._writer = open_writer(file)
        except OSError as error:
            raise self._error(error) from None

    def write(self, row: Row) -> None:
        """Append one row. Raises OutputError if the disk is full or gone, BrokenPipeError if the reader is gone."""
        try:
            self._writer.write(row)
        except OSError as error:
            raise self._error(error) from None
        self.rows += 1

    def flush(self) -> None:
        """Write out what is buffered, if the format allows it. Raises as `write` does."""
        try:
            self._writer.flush()
        except OSError as error:
            raise self._error(error) from None

    def finish(self) -> None:
        """Complete the file. Raises as `write` does."""
        try:
            self._writer.finish()
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Release the file. Errors are ignored, because an incomplete file is about to be removed."""
        with suppress(OSError):
            self._writer.close()

    def _error(self, error: OSError) -> Exception:
        return error if isinstance(error, BrokenPipeError) else cannot_write(self.path, error)


@contextmanager
def open_sink(
    output: str,
    schema: Schema = PLAIN,
    *,
    json_lines: bool = False,
    excel: bool = False,
    lines: Callable[[BinaryIO], FormatWriter] = ImageLines,
) -> Iterator[Sink]:
    """A sink for `FILE.csv`, `.jsonl`, `.parquet`, `.sqlite`, `.db` or `.xlsx`; `-` is stdout as CSV, or as JSON lines.

    excel: CSV is written as Excel expects it; see `ExcelWriter`. lines: what to write to stdout if it is a terminal, and not
    JSON lines.
    A file gets its name when the block ends without an error. Otherwise, CSV and JSON lines stay in `FILE.part`; files of
    the other formats are removed, because an incomplete one cannot be read. Raises OutputError if the output cannot be
    written, or is a file that no batch run wrote, and ModuleNotFoundError if the format's library is not installed.
    `check_output` raises the same beforehand.
    """
    suffix = _suffix(output, json_lines)
    format_: Format = ExcelWriter if excel else _FORMATS[suffix]()
    open_writer = partial(format_, schema=schema)
    if output == STDOUT:
        sink = Sink(data_stream().buffer, lines if is_for_people(output, json_lines=json_lines) else open_writer)
        yield sink
        sink.finish()
        return
    refuse_foreign(Path(output), format_.wrote)
    with published_sink(Path(output), open_writer, keeps_rows=suffix in _LINES) as sink:
        yield sink


@contextmanager
def published_sink(path: Path, open_writer: Callable[[BinaryIO], FormatWriter], *, keeps_rows: bool) -> Iterator[Sink]:
    """A sink for a file that gets its name when the block ends without an error. keeps_rows: whether it stays otherwise."""
    with publish(path, keep_partial=keeps_rows) as file:
        sink = Sink(file, open_writer, keeps_rows=keeps_rows)
        try:
            yield sink
            sink.finish()
        finally:
            sink.close()


def check_output(output: str, json_lines: bool) -> None:
    """Raise what `open_sink` would raise, before anything is classified. Creates nothing."""
    wrote = _FORMATS[_suffix(output, json_lines)]().wrote
    path = Path(os.path.realpath(output))
    if output == STDOUT or (os.path.exists(path) and not os.path.isfile(path)):
        return
    check_writable(path)
    refuse_foreign(Path(output), wrote)


def check_writable(path: Path) -> None:
    """Raise OutputError if a file cannot get this name. Creates nothing. path: without links."""
    try:
        os.stat(path.parent)
        with suppress(FileNotFoundError):
            os.lstat(temporary_path(path))  # its name may be too long
    except OSError as error:
        raise cannot_write(path, error) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise cannot_write(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def check_columns(output: str, schema: Schema) -> None:
    """Raise OutputError for more columns than the format can hold, before anything is classified."""
    name, most = _MAX_COLUMNS.get(Path(output).suffix.lower(), ("", None))
    count = len(schema.columns("csv"))
    if most and count > most:
        raise OutputError(
            f"{output} would have {count:,} columns, and {name} takes {most:,}; give a smaller number with --topk, "
            "or write a .csv or .parquet file"
        )


def _suffix(output: str, json_lines: bool) -> str:
    path = Path(output)
    suffix = ".jsonl" if json_lines else ".csv"
    if output != STDOUT and (not os.path.exists(path) or os.path.isfile(path) or path.suffix.lower() in _LINES):
        suffix = path.suffix.lower()
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder; name a file, such as {path / 'results.csv'}")
    if suffix not in _FORMATS:
        advice = "name a .xlsx file" if suffix == ".xls" else "the suffix chooses the format"
        raise OutputError(f"{path} must end in {', '.join(_FORMATS)}; {advice}")
    return suffix


def _parquet() -> Format:
    from edgeclf.runtime.results.parquet_sink import ParquetWriter

    return ParquetWriter


def _sqlite() -> Format:
    from edgeclf.runtime.results.sqlite_sink import SqliteWriter

    return SqliteWriter


def _xlsx() -> Format:
    from edgeclf.runtime.results.xlsx_sink import XlsxWriter

    return XlsxWriter


_LINES = (".csv", ".jsonl")
_MAX_COLUMNS = {".sqlite": ("SQLite", 2_000), ".db": ("SQLite", 2_000), ".xlsx": ("Excel", 16_384)}
_FORMATS: dict[str, Callable[[], Format]] = {
    ".csv": lambda: CsvWriter,
    ".jsonl": lambda: JsonLinesWriter,
    ".parquet": _parquet,
    ".sqlite": _sqlite,
    ".db": _sqlite,
    ".xlsx": _xlsx,
}
