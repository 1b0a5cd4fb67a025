"""Rows as lines of text: JSON lines, and CSV whose cells a spreadsheet does not run as formulas."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from edgeclf.runtime.results.columns import PLAIN, TIMES, Schema, are_columns
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.utf8 import as_utf8
from edgeclf.runtime.terminal.escaping import escape_cell

_BOM = "\ufeff"
_PLAIN_NAMES = [column.name for column in PLAIN.columns("csv")]
_AFTER_AGE = len(_PLAIN_NAMES) - _PLAIN_NAMES.index("age_ms")
_MAX_HEADER = 1 << 24
_SECONDS = len("2026-11-22T14:20:31")
_json_ascii = json.JSONEncoder().encode


def csv_header(schema: Schema) -> str:
    """The first line, with its end."""
    return ",".join(_quoted(column.name) for column in schema.columns("csv")) + "\n"


class CsvWriter:
    r"""UTF-8. Text cells are escaped by `escape_cell`, and `unescape` restores them; None is an empty cell.

    header: False to append rows to a file that has one.
    """

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN, *, header: bool = True) -> None:
        self._file = file
        self._values = schema.reader("csv")
        self._header = csv_header(schema) if header else ""

    def write(self, row: Row) -> None:
        line = ",".join([_cell(value) for value in self._cells(row)])
        self._file.write(f"{self._header}{line}\n".encode())
        self._header = ""  # written with the first row: a run that fails before that leaves no file

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.write(self._header.encode())
        self._file.flush()

    def close(self) -> None:
        """The owner of the file closes it."""

    def _cells(self, row: Row) -> Sequence[Any]:
        return self._values(row)

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in Format. A live run's rows have an age, and no other run can make them again."""
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            if not are_columns(_cells_of(file.readline(_MAX_HEADER)), "csv"):
                return False
            first = file.readline()
        return not first or first.rsplit(",", _AFTER_AGE)[1:2] == [""]


class ExcelWriter(CsvWriter):
    """CSV as Excel expects it: with a byte order mark, without which it takes accents for something else, and with times in
    a form that it knows, to the second.
    """

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN) -> None:
        super().__init__(file, schema)
        self._header = _BOM + self._header
        self._times = [place for place, column in enumerate(schema.columns("csv")) if column.kind in TIMES]

    def _cells(self, row: Row) -> Sequence[Any]:
        cells = [*self._values(row)]
        for place in self._times:
            cells[place] = cells[place] and cells[place][:_SECONDS].replace("T", " ")
        return cells


class JsonLinesWriter:
    """One object per line, with every column. ASCII; text that is not valid UTF-8 is escaped by `as_utf8`."""

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN) -> None:
        self._file = file
        self._to_json = json_encoder(schema)

    def write(self, row: Row) -> None:
        self._file.write(f"{self._to_json(row)}\n".encode())

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The owner of the file closes it."""

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in `CsvWriter`."""
        with open(path, "rb") as file:
            line = file.readline() if file.peek(1).startswith(b"{") else b""
        try:
            first = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return are_columns(tuple(first), "jsonl") and first["age_ms"] is None


def json_encoder(schema: Schema) -> Callable[[Row], str]:
    """A function that gives a row as the object of a JSON line."""
    names = [column.name for column in schema.columns("jsonl")]
    values = schema.reader("jsonl")

    def to_json(row: Row) -> str:
        cells = dict(zip(names, values(row), strict=True))
        text = _json_ascii(cells)
        if "\\" not in text:  # the most: no text that might have to be escaped first
            return text
        return _json_ascii({name: _json_value(cell) for name, cell in cells.items()})

    return to_json


def _cells_of(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a cell of 128 KB
        return []


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {as_utf8(label): score for label, score in value.items()}
    return as_utf8(value) if isinstance(value, str) else value


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return _quoted(escape_cell(value))
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value)


def _quoted(cell: str) -> str:
    """Like the csv module, which takes three times as long per line because it looks at each character by itself."""
    return '"' + cell.replace('"', '""') + '"' if '"' in cell or "," in cell else cell
