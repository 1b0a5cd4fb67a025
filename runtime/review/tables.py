"""Tables of rows in the formats that clf-run writes, read from the first row to the last in constant memory."""

import csv
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgeclf.runtime.errors import SourceError, first_line

Record = dict[str, Any]
"""The cells of a row by the names of their columns. Text is still escaped."""
Table = tuple[tuple[str, ...], Iterator[Record]]
"""The names of the columns, and the rows."""
_LARGE = ("embedding",)
"""Columns that are not read."""
_BATCH_ROWS = 1_000


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a table by its suffix. Raises SourceError if it cannot be read, with the line if there are lines."""
    open_ = _FORMATS.get(path.suffix.lower())
    if open_ is None:
        raise SourceError(f"{path} must end in {', '.join(_FORMATS)}; clf-run writes any of them from its journal")
    try:
        with open_(path) as table:
            yield table
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}; name the output of a run") from None
    except sqlite3.Error as error:
        raise SourceError(
            f"{path} is no database that clf-run wrote ({first_line(error)}); name the output of a run"
        ) from None


@contextmanager
def _open_csv(path: Path) -> Iterator[Table]:
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file)
        columns = tuple(next(rows, []))

        def records() -> Iterator[Record]:
            try:
                for row in rows:
                    if row and len(row) != len(columns):
                        problem = f"has {len(row)} cells, not {len(columns)}"
                        raise SourceError(f"line {rows.line_num:,} of {path} {problem}; correct or remove it")
                    if row:
                        yield dict(zip(columns, row, strict=True))
            except csv.Error as error:
                raise SourceError(f"line {rows.line_num:,} of {path} is not CSV ({error}); correct or remove it") from None

        yield columns, records()


@contextmanager
def _open_json_lines(path: Path) -> Iterator[Table]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:

        def records() -> Iterator[Record]:
            for number, line in enumerate(file, 1):
                yield _json_record(path, number, line)

        first = file.readline()
        columns = tuple(_json_record(path, 1, first)) if first else ()
        file.seek(0)
        yield columns, records()


def _json_record(path: Path, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise SourceError(f"line {number:,} of {path} is not a JSON object; correct or remove it")
    return record


@contextmanager
def _open_parquet(path: Path) -> Iterator[Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with closing(pq.ParquetFile(path)) as file:
            columns = tuple(name for name in file.schema_arrow.names if name not in _LARGE)
            batches = file.iter_batches(_BATCH_ROWS, columns=[*columns])
            yield columns, (record for batch in batches for record in batch.to_pylist())
    except pa.ArrowException as error:
        raise SourceError(f"{path} is no sound Parquet file ({first_line(error)}); name the output of a run") from None


@contextmanager
def _open_sqlite(path: Path) -> Iterator[Table]:
    with closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True)) as database:
        cursor = database.execute("SELECT * FROM results ORDER BY rowid")
        columns = tuple(one[0] for one in cursor.description)
        yield columns, (dict(zip(columns, row, strict=True)) for row in cursor)


_FORMATS: dict[str, Callable[[Path], AbstractContextManager[Table]]] = {
    ".csv": _open_csv,
    ".jsonl": _open_json_lines,
    ".parquet": _open_parquet,
    ".sqlite": _open_sqlite,
    ".db": _open_sqlite,
}
