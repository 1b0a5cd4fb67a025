"""The rows of a live run: added to a file that is never begun anew, or streamed to stdout."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.append_only_file import AppendOnlyFile
from edgeclf.runtime.results.row import COLUMNS, Row
from edgeclf.runtime.results.sinks import STDOUT, Sink, open_sink
from edgeclf.runtime.results.text_sinks import CSV_HEADER, CsvWriter, JsonLinesWriter

Aside = Callable[[], AbstractContextManager[None]]
_BEGINNINGS = {".csv": CSV_HEADER.encode(), ".jsonl": f'{{"{COLUMNS[0]}": '.encode()}


class Log(Protocol):
    """Rows on their way out; each is there for others to read when `write` returns."""

    def write(self, row: Row) -> None:
        """Raises OutputError when the disk is full or gone, BrokenPipeError when the reader is."""
        ...


@contextmanager
def open_log(output: str, *, json_lines: bool = False, aside: Aside = nullcontext) -> Iterator[Log]:
    """`FILE.csv` or `FILE.jsonl`, which grows with every run, or `-`: stdout as CSV, or as JSON lines on request.

    aside: entered for each row on stdout, which may be a terminal that shows something else.
    Raises OutputError where that cannot be written to, when another process writes it, or when it holds something else.
    """
    if output == STDOUT or (os.path.exists(output) and not os.path.isfile(output)):
        with open_sink(output, json_lines=json_lines) as sink:
            yield _Streamed(sink, aside)
        return
    log = _LogFile(Path(output))
    try:
        yield log
    finally:
        log.close()


class _Streamed:
    def __init__(self, sink: Sink, aside: Aside) -> None:
        self._sink = sink
        self._aside = aside

    def write(self, row: Row) -> None:
        with self._aside():
            self._sink.write(row)
            self._sink.flush()


class _LogFile:
    def __init__(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix not in _BEGINNINGS:
            raise OutputError(f"{path}: a live run adds its rows to a .csv or .jsonl file as they come; name one of these")
        if os.path.lexists(f"{path}.journal"):
            raise OutputError(f"{path} is made from {path}.journal, which knows nothing of a live run; choose another -o")
        self._file = AppendOnlyFile(path, "log of a live run with these columns", _BEGINNINGS[suffix], "choose another -o")
        self._buffer = io.BytesIO()
        self._writer = (
            CsvWriter(self._buffer, header=self._file.is_empty) if suffix == ".csv" else JsonLinesWriter(self._buffer)
        )

    def write(self, row: Row) -> None:
        self._writer.write(row)
        self._file.append(self._buffer.getvalue())
        self._buffer.seek(0)
        self._buffer.truncate()

    def close(self) -> None:
        self._file.close()
