"""The rows of a live run, appended to a file or streamed to stdout."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.append_only_file import AppendOnlyFile
from edgeclf.runtime.results.columns import PLAIN, Schema
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import Sink, open_sink
from edgeclf.runtime.results.terminal_lines import LiveLines
from edgeclf.runtime.results.text_sinks import CsvWriter, JsonLinesWriter, csv_header
from edgeclf.runtime.terminal.console import STDOUT


class Log(Protocol):
    """Writes rows. Others can read a row as soon as `write` returns."""

    def write(self, row: Row) -> None:
        """Raises OutputError when the disk is full or gone, BrokenPipeError when stdout's reader has ended."""
        ...


@contextmanager
def open_log(
    output: str, schema: Schema = PLAIN, *, json_lines: bool = False, several_sources: bool = False
) -> Iterator[Log]:
    """Open `FILE.csv` or `FILE.jsonl` to append rows, or stream to stdout (`-`) as CSV, or as JSON lines on request.

    On a terminal, stdout gets lines for people; with several_sources, they name the source.
    Raises OutputError for a file that cannot be written, that another process writes, or that holds anything else.
    """
    if output == STDOUT or (os.path.exists(output) and not os.path.isfile(output)):
        lines = partial(LiveLines, named=several_sources)
        with open_sink(output, schema, json_lines=json_lines, lines=lines) as sink:
            yield _StreamLog(sink)
        return
    log = _FileLog(Path(output), schema)
    try:
        yield log
    finally:
        log.close()


class _StreamLog:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, row: Row) -> None:
        self._sink.write(row)
        self._sink.flush()


class _FileLog:
    def __init__(self, path: Path, schema: Schema) -> None:
        suffix = path.suffix.lower()
        first_bytes = {".csv": csv_header(schema).encode(), ".jsonl": b'{"path": '}
        if suffix not in first_bytes:
            raise OutputError(f"{path}: a live run appends rows to a .csv or .jsonl file; name one of these with -o")
        if os.path.lexists(f"{path}.journal"):
            raise OutputError(f"{path} belongs to the batch run of {path}.journal; choose another -o for a live run")
        self._file = AppendOnlyFile(path, "log of a live run with these columns", first_bytes[suffix], "choose another -o")
        self._buffer = io.BytesIO()
        self._writer = (
            CsvWriter(self._buffer, schema, header=self._file.is_empty)
            if suffix == ".csv"
            else JsonLinesWriter(self._buffer, schema)
        )

    def write(self, row: Row) -> None:
        self._writer.write(row)
        self._file.append(self._buffer.getvalue())
        self._buffer.seek(0)
        self._buffer.truncate()

    def close(self) -> None:
        self._file.close()
