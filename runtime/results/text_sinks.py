"""Rows as lines of text: CSV that no spreadsheet calculates, and JSON lines."""

import json
from operator import attrgetter
from typing import Any, BinaryIO

from edgeclf.runtime.results.row import COLUMNS, Row
from edgeclf.runtime.terminal.escaping import escape_cell

_json_text = json.JSONEncoder(ensure_ascii=False).encode
_values = attrgetter(*COLUMNS)
_json_ascii = json.JSONEncoder().encode


CSV_HEADER = ",".join(COLUMNS) + "\n"


class CsvWriter:
    r"""UTF-8. Text cells are as `escape_cell` spells them, and `unescape` gives the text back; None is an empty cell.

    `top` is a JSON object: `json.loads(unescape(cell))`. header: without it, for rows that are added to others.
    """

    def __init__(self, file: BinaryIO, *, header: bool = True) -> None:
        self._file = file
        self._header = CSV_HEADER if header else ""

    def write(self, row: Row) -> None:
        line = ",".join([_cell(value) for value in _values(row)])
        self._file.write(f"{self._header}{line}\n".encode())
        self._header = ""  # it comes with the first row: a run that fails before that leaves nothing to keep

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.write(self._header.encode())
        self._file.flush()

    def close(self) -> None:
        """The file is its owner's to close."""


class JsonLinesWriter:
    r"""One object a line, every column in each. ASCII: a name that is not UTF-8 keeps its bytes as \udcXX."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, row: Row) -> None:
        self._file.write(f"{_json_ascii(row.to_json())}\n".encode())

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The file is its owner's to close."""


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
    """As the csv module does it, which looks at each character by itself and takes three times as long for the line."""
    return '"' + cell.replace('"', '""') + '"' if '"' in cell or "," in cell else cell
