"""Rows as an SQLite database: one table `results`, and one table `meta` for what all rows share."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from edgeclf.runtime.results.columns import PLAIN, Kind, Schema
from edgeclf.runtime.results.row import SCHEMA_VERSION, Row
from edgeclf.runtime.results.utf8 import as_utf8
from edgeclf.runtime.version import __version__

TRANSACTION_ROWS = 10_000

_TYPES: dict[Kind, str] = {
    "text": "TEXT NOT NULL",
    "category": "TEXT NOT NULL",
    "number": "REAL",
    "whole number": "INTEGER",
    "time": "TEXT",
    "local time": "TEXT",
}


class SqliteWriter:
    """Typed columns, NULL for None; rowid gives the order of the rows.

    Text that is not valid UTF-8 is escaped by `as_utf8`.
    """

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN) -> None:
        self._columns = schema.columns("sqlite")
        self._values = schema.reader("sqlite")
        self._insert = f"INSERT INTO results VALUES ({', '.join('?' * len(self._columns))})"
        self._waiting: list[tuple[Any, ...]] = []
        with _as_os_error():
            # `publish` has locked the file already, and on some file systems SQLite's own lock would collide with that.
            self._database = sqlite3.connect(f"file:{quote(os.fsencode(file.name))}?nolock=1", uri=True)
            # Not needed here: the file gets its final name only when it is complete and on the disk.
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._create_tables()

    def write(self, row: Row) -> None:
        self._waiting.append(tuple(map(_value, self._values(row))))
        if len(self._waiting) == TRANSACTION_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows so far, in one transaction."""
        with _as_os_error(), self._database:
            self._database.executemany(self._insert, self._waiting)
        self._waiting.clear()

    def finish(self) -> None:
        self.flush()
        with _as_os_error(), self._database:
            self._database.execute("CREATE INDEX results_path ON results (path)")
            self._database.execute("CREATE INDEX results_label ON results (status, label)")

    def close(self) -> None:
        self._database.close()

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in Format. Nobody has added a table or a view."""
        try:
            with closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?immutable=1", uri=True)) as database:
                names = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
                made_by = database.execute("SELECT value FROM meta WHERE key = 'edgeclf'").fetchall()
        except sqlite3.Error:
            return False
        return sorted(names) == [("meta",), ("results",)] and len(made_by) == 1

    def _create_tables(self) -> None:
        with self._database:
            columns = ", ".join(f"{_quoted(column.name)} {_TYPES[column.kind]}" for column in self._columns)
            self._database.execute(f"CREATE TABLE results ({columns})")
            self._database.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            meta = {"schema": str(SCHEMA_VERSION), "edgeclf": __version__}
            self._database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())


def _value(value: Any) -> Any:
    return as_utf8(value) if isinstance(value, str) else value


def _quoted(name: str) -> str:
    return '"' + as_utf8(name).replace('"', '""') + '"'


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Turn a full disk and the like into OSError; SQLite gives only a message."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(str(error)) from None
