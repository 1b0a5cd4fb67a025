"""Lists of paths: a text file, a column of a CSV file, or the output of another program on stdin."""

import codecs
import csv
import os
import re
import select
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from edgeclf.runtime.errors import ImageError, Reason, SourceError, first_line
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.remote import remote_frame
from edgeclf.runtime.sources.source_part import cannot_read, file_frame, require_file
from edgeclf.runtime.sources.unreadable import UnreadableImage
from edgeclf.runtime.storage.object_store import is_uri, local_name
from edgeclf.runtime.terminal.masking import mask

PAUSE_S = 0.2
"""After this long without input, the reader of stdin yields None, so that its caller can work on what has come."""

_CHUNK_BYTES = 1 << 16
_MAX_LINE_BYTES = 1 << 16  # Linux paths have at most 4,096; a longer line means that the file is not a list
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_COLUMN = re.compile(r"(.+\.csv):(.+)", re.IGNORECASE | re.DOTALL)


class ListedImages:
    """A list of paths. Each is a frame whatever its extension; relative paths start at the working directory."""

    prefix = ""
    roots: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def __init__(self, name: str, paths: Callable[[], Iterator[str]]) -> None:
        self.skipped = 0
        self.empty_message = f"{name!r} names no images; write one path per line"
        self._paths = paths

    def frames(self, source: int) -> Iterator[Frame]:
        return (_frame(path, source) for path in self._paths())

    def count(self) -> int:
        return sum(1 for _ in self._paths())


class StdinImages:
    """Paths from stdin as they arrive, one per line, or with `nul` separated by NUL characters. Can be read only once."""

    prefix = ""
    roots: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def __init__(self, nul: bool) -> None:
        self.skipped = 0
        self.empty_message = "stdin names no images; pipe paths into it, one per line"
        self._separator = b"\0" if nul else b"\n"
        if sys.stdin is None:
            raise SourceError("stdin is closed; pipe paths into it, one per line, or name a folder")
        self._file_descriptor = sys.stdin.fileno()

    def frames(self, source: int) -> Iterator[Frame | None]:
        for line in _split(_read_pipe(self._file_descriptor), self._separator, "stdin"):
            yield None if line is None else _frame(os.fsdecode(line), source)

    def count(self) -> None:
        return None


def open_list(name: str) -> ListedImages:
    """`@list.txt`: one path per line, in any encoding; blank lines are skipped."""
    path = name[1:]
    require_file(path, "one path per line")
    return ListedImages(name, lambda: _lines(path))


def is_column(name: str) -> bool:
    """Whether a name has the form `FILE.csv:COLUMN`."""
    return _COLUMN.fullmatch(name) is not None


def open_column(name: str) -> ListedImages:
    """`list.csv:column`: the cells of the column with this heading in the first line; empty cells are skipped."""
    match = _COLUMN.fullmatch(name)
    assert match is not None  # callers check is_column first
    path, column = match.groups()
    require_file(path, "a table with a column of paths")
    next(_cells(path, column), None)  # raises if there is no such column
    return ListedImages(name, lambda: _cells(path, column))


def _frame(path: str, source: int) -> Frame:
    path = local_name(path)
    if is_uri(path):
        return remote_frame(path, source)
    if _ADDRESS.match(path) and not os.path.lexists(path):
        error = ImageError(
            Reason.UNREADABLE, "an address, and lists hold files and URIs such as s3://bucket/a.jpg; download it"
        )
        return Frame(mask(path), UnreadableImage(error), mask(path), source)
    return file_frame("", path, source)


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, "rb") as file:
            if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                file.seek(0)
            for line in _split(_chunks(file), b"\n", repr(path)):
                if line is not None:
                    yield os.fsdecode(line)
    except OSError as error:
        raise cannot_read(path, error) from None


def _cells(path: str, column: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file, strict=True)
            columns = next(rows, [])
            if column not in columns:
                raise SourceError(f"{path!r} has no column {column!r}; it has {', '.join(map(repr, columns)) or 'none'}")
            index = columns.index(column)
            try:
                yield from (row[index] for row in rows if len(row) > index and row[index])
            except csv.Error as error:
                raise SourceError(
                    f"{path!r}, line {rows.line_num} is not valid CSV ({first_line(error)}); save the table again"
                ) from None
    except OSError as error:
        raise cannot_read(path, error) from None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _read_pipe(file_descriptor: int) -> Iterator[bytes | None]:
    """The data from a pipe as soon as it arrives; None whenever nothing has arrived for PAUSE_S."""
    while True:
        can_select = os.name != "nt"  # on Windows, select takes sockets only
        if can_select and not select.select([file_descriptor], [], [], PAUSE_S)[0]:
            yield None
            continue
        chunk = os.read(file_descriptor, _CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def _split(chunks: Iterable[bytes | None], separator: bytes, name: str) -> Iterator[bytes | None]:
    """The non-empty lines without their separators; None is passed on. Raises SourceError for a line too long for a path."""
    rest = b""
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        *lines, rest = (rest + chunk).split(separator)
        yield from filter(None, (_stripped(line, separator) for line in lines))
        if len(rest) > _MAX_LINE_BYTES:
            raise SourceError(f"{name} has a line of more than {_MAX_LINE_BYTES:,} bytes; a list holds one path per line")
    if line := _stripped(rest, separator):
        yield line


def _stripped(line: bytes, separator: bytes) -> bytes:
    return line.removesuffix(b"\r") if separator == b"\n" else line
