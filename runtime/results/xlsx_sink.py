"""Rows as an Excel workbook with one sheet: dates as dates, numbers as numbers, and text that is never a formula."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import xlsxwriter
from xlsxwriter.exceptions import XlsxFileError

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.columns import PLAIN, TIMES, Schema
from edgeclf.runtime.results.row import SCHEMA_VERSION, Row
from edgeclf.runtime.terminal.escaping import escape_cell

MAX_ROWS = 1_048_575
"""Below the header, Excel's own limit."""
_SCHEMA_KEY = "edgeclf.schema"
_FIRST_YEAR = 1901
"""Excel counts days from 1900 on, with one too many in that year."""
_MAX_PROPERTIES_BYTES = 1 << 20
_CREATED_AND_MODIFIED = re.compile(rb"<dcterms:(?:created|modified)[^>]*>([^<]*)<")
_SPECIAL = re.compile(r"^<r>|_(?=x[0-9A-Fa-f]{4}_)")
"""What XlsxWriter takes for the XML of formatted text, and what Excel takes for an escape of its own."""
_DATE_FORMAT = "yyyy-mm-dd hh:mm:ss"
_WIDTHS = {"path": 40, "sorted_to": 40, "detail": 30, "model": 18}
_TIME_WIDTH, _WIDTH = 19, 12


class XlsxWriter:
    """The columns of CSV. Text is escaped by `escape_cell`, and `unescape` restores it; None is an empty cell.

    Times are in UTC, as in the other formats, because Excel knows no time zones. Memory stays the same for any number of
    rows: they are collected in a temporary file. Raises OutputError for more rows than Excel takes.
    """

    def __init__(self, file: BinaryIO, schema: Schema = PLAIN) -> None:
        self._path = file.name.removesuffix(".part")
        columns = schema.columns("csv")
        self._values = schema.reader("csv")
        self._times = [column.kind in TIMES for column in columns]
        self._rows = 0
        self._folder = TemporaryDirectory(prefix="edgeclf-")
        self._book = xlsxwriter.Workbook(_Stream(file), {"constant_memory": True, "tmpdir": self._folder.name})
        self._book.set_custom_property(_SCHEMA_KEY, str(SCHEMA_VERSION))
        self._sheet = self._book.add_worksheet("results")
        self._date = self._book.add_format({"num_format": _DATE_FORMAT})
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        for place, column in enumerate(columns):
            width = _TIME_WIDTH if self._times[place] else _WIDTHS.get(column.name, _WIDTH)
            self._sheet.set_column(place, place, width)
            self._write_text(0, place, column.name, bold)

    def write(self, row: Row) -> None:
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise OutputError(
                f"{self._path} cannot hold more than {MAX_ROWS:,} rows; name a .parquet or .csv file with -o, and this "
                "run's journal with --journal, and nothing is classified again"
            )
        self._write_cells(self._values(row))

    def flush(self) -> None:
        """Nothing: an unfinished file cannot be read."""

    def finish(self) -> None:
        self._sheet.autofilter(0, 0, self._rows, len(self._times) - 1)
        with _as_os_error():
            self._book.close()

    def close(self) -> None:
        with suppress(OSError):
            self._sheet.row_data_fh.close()
        self._folder.cleanup()

    @staticmethod
    def wrote(path: Path) -> bool:
        """As in Format. A file that a person has saved since is not one: its times of creation and change differ."""
        try:
            with zipfile.ZipFile(path) as archive:
                custom, core = (_part(archive, f"docProps/{name}.xml") for name in ("custom", "core"))
        except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError):
            return False
        times = _CREATED_AND_MODIFIED.findall(core)
        return f'name="{_SCHEMA_KEY}"'.encode() in custom and len(times) == 2 and times[0] == times[1]

    def _write_cells(self, cells: Sequence[Any]) -> None:
        for place, (cell, is_time) in enumerate(zip(cells, self._times, strict=True)):
            if cell is None or cell == "":
                continue
            if is_time and int(cell[:4]) >= _FIRST_YEAR:
                moment = datetime.fromisoformat(cell).replace(tzinfo=None)
                self._sheet.write_datetime(self._rows, place, moment, self._date)
            elif isinstance(cell, str):
                self._write_text(self._rows, place, cell)
            else:
                self._sheet.write_number(self._rows, place, cell)

    def _write_text(self, row: int, place: int, text: str, style: Any = None) -> None:
        text = _SPECIAL.sub(lambda found: f"\\x{ord(found[0][0]):02x}{found[0][1:]}", escape_cell(text))
        if self._sheet.write_string(row, place, text, style):
            raise OutputError(f"a cell of {self._path} cannot hold {len(text):,} characters; write a .csv or .parquet file")


class _Stream:
    """A file that is only written to: `publish` opens it for appending, so zipfile must not go back to fill in sizes."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write
        self.flush = file.flush


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """Raises KeyError without it, ValueError if it is too large."""
    if archive.getinfo(name).file_size > _MAX_PROPERTIES_BYTES:
        raise ValueError(name)
    return archive.read(name)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """XlsxWriter puts an OSError, such as a full disk, into an exception of its own."""
    try:
        yield
    except XlsxFileError as error:
        cause = error.args[0] if error.args else error
        raise cause if isinstance(cause, OSError) else OSError(str(cause)) from None
