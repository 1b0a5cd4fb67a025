"""Rows as lines of text: JSON lines, and CSV whose cells a spreadsheet does not run as formulas."""

import json
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

from edgeclf.runtime.results.row import COLUMNS, Row
from edgeclf.runtime.terminal.escaping import escape_cell

CSV_HEADER = ",".join(COLUMNS) + "\n"
_AFTER_AGE = len(COLUMNS) - COLUMNS.index("age_ms")
_values = attrgetter(*COLUMNS)
_json_text = json.JSONEncoder(ensure_ascii=False).encode
_json_ascii = json.JSONEncoder().encode


class CsvWriter:
    r"""UTF-8. Text cells are escaped by `escape_cell`, and `unescape` restores them; None is an empty cell.

    `top` is a JSON object: `json.loads(unescape(cell))`. header: False to append rows to a file that has one.
    """

    def __init__(self, file: BinaryIO, *, header: bool = True) -> None:
        self._file = file
        self._header = CSV_HEADER if header else ""

    def write(self, row: Row) -> None:
        line = ",".join([_cell(value) for value in _values(row)])
        self._file.write(f"{self._header}{line}\n".encode())
        self._header = ""  # written with the first row: a run that fails before that leaves no file

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.write(self._header.encode())
        self._file.flush()

    def close(self) -> None:
        """The owner of the file closes it."""

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in Format. A live run's rows have an age, and no other run can make them again."""
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            if file.readline(len(CSV_HEADER)) != CSV_HEADER:
                return False
            first = file.readline()
        return not first or first.rsplit(",", _AFTER_AGE)[1:2] == [""]


class JsonLinesWriter:
    r"""One object per line, with every column. ASCII: a name that is not UTF-8 keeps its bytes as \udcXX."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, row: Row) -> None:
        self._file.write(f"{_json_ascii(row.to_json())}\n".encode())

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
        return tuple(first) == COLUMNS and first["age_ms"] is None


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return _quoted(escape_cell(value))
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, dict):
        return _quoted(escape_cell(_json_text(value)))
    return str(value)


def _quoted(cell: str) -> str:
    """Like the csv module, which takes three times as long per line because it looks at each character by itself."""
    return '"' + cell.replace('"', '""') + '"' if '"' in cell or "," in cell else cell
