"""Lists of paths: a text file, a column of a CSV file, or what another program writes to our stdin."""

import codecs
import csv
import os
import re
import select
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from edgeclf.runtime.errors import SourceError, first_line
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.remote import remote_frame
from edgeclf.runtime.sources.source_part import cannot_read, file_frame, require_file
from edgeclf.runtime.storage.object_store import is_uri, local_name

PAUSE_S = 0.2
"""How long stdin may be silent before its reader hands on what it has."""

_CHUNK_BYTES = 1 << 16
_MAX_LINE_BYTES = 1 << 16  # Linux takes paths of 4,096; what is longer is an image, say, and no list
_COLUMN = re.compile(r"(.+\.csv):(.+)", re.IGNORECASE | re.DOTALL)


class PathsPart:
    """Paths, each of which is a frame whatever it is called; relative ones start at the working directory."""

    prefix = ""
    roots: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def __init__(self, name: str, paths: Callable[[], Iterator[str]]) -> None:
        self.skipped = 0
        self.empty = f"{name!r} names no images; it takes a path in each line"
        self._paths = paths

    def frames(self, source: int) -> Iterator[Frame]:
        return (_frame(path, source) for path in self._paths())

    def count(self) -> int:
        return sum(1 for _ in self._paths())


class StdinPart:
    """Paths from stdin as they come, one a line, or with `nul` one before each NUL character. Can be read only once."""

    prefix = ""
    roots: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def __init__(self, nul: bool) -> None:
        self.skipped = 0
        self.empty = "stdin names no images; pipe paths into it, one a line"
        self._separator = b"\0" if nul else b"\n"
        if sys.stdin is None:
            raise SourceError("stdin is closed; pipe paths into it, one a line, or name a folder")
        self._file_descriptor = sys.stdin.fileno()

    def frames(self, source: int) -> Iterator[Frame | None]:
        for line in _split(_arriving(self._file_descriptor), self._separator, "stdin"):
            yield None if line is None else _frame(os.fsdecode(line), source)

    def count(self) -> None:
        return None


def open_list(name: str) -> PathsPart:
    """`@list.txt`: a path a line, of any bytes that a name may hold; blank lines are passed over."""
    path = name[1:]
    require_file(path, "a path a line")
    return PathsPart(name, lambda: _lines(path))


def is_column(name: str) -> bool:
    """Whether a name is spelt `FILE.csv:COLUMN`."""
    return _COLUMN.fullmatch(name) is not None


def open_column(name: str) -> PathsPart:
    """`list.csv:column`: the cells below that word in the first line; empty ones are passed over."""
    match = _COLUMN.fullmatch(name)
    assert match is not None  # is_column said so
    path, column = match.groups()
    require_file(path, "a table with a column of paths")
    next(_cells(path, column), None)  # raises when there is no such column
    return PathsPart(name, lambda: _cells(path, column))


def _frame(path: str, source: int) -> Frame:
    path = local_name(path)
    return remote_frame(path, source) if is_uri(path) else file_frame("", path, source)


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
            place = columns.index(column)
            try:
                yield from (row[place] for row in rows if len(row) > place and row[place])
            except csv.Error as error:
                raise SourceError(
                    f"{path!r}, line {rows.line_num} is no CSV ({first_line(error)}); save the table anew"
                ) from None
    except OSError as error:
        raise cannot_read(path, error) from None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _arriving(file_descriptor: int) -> Iterator[bytes | None]:
    """What comes through a pipe, at once when it comes; None whenever nothing came for PAUSE_S."""
    while True:
        if os.name != "nt" and not select.select([file_descriptor], [], [], PAUSE_S)[0]:  # for sockets only, on Windows
            yield None
            continue
        chunk = os.read(file_descriptor, _CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def _split(chunks: Iterable[bytes | None], separator: bytes, name: str) -> Iterator[bytes | None]:
    """The lines in chunks, without what ends them; None is handed through. Raises SourceError for what is no list."""
    rest = b""
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        *lines, rest = (rest + chunk).split(separator)
        yield from filter(None, (_stripped(line, separator) for line in lines))
        if len(rest) > _MAX_LINE_BYTES:
            raise SourceError(f"{name} has a line of more than {_MAX_LINE_BYTES:,} bytes; it takes paths, one a line")
    if line := _stripped(rest, separator):
        yield line


def _stripped(line: bytes, separator: bytes) -> bytes:
    return line.removesuffix(b"\r") if separator == b"\n" else line
