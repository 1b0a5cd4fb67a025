r"""What people decided about answers: `corrections.csv`, which only grows, and of which the last row of an image counts.

UTF-8 CSV with the columns `path,label,decision` and, if clf-review wrote it, `time`. Text is escaped as in the CSV of
clf-run: `unescape` restores every path, and a row is one line.
"""

import csv
import io
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.results.append_only_file import AppendOnlyFile
from edgeclf.runtime.spelling import advice, near
from edgeclf.runtime.storage.atomic_write import cannot_write
from edgeclf.runtime.terminal.escaping import escape_cell, one_line, unescape

Decision = Literal["accepted", "corrected", "rejected", "undone"]
ACCEPTED: Final = "accepted"
"""The answer is right."""
CORRECTED: Final = "corrected"
"""Another class is right."""
REJECTED: Final = "rejected"
"""The image cannot be used; it has no label."""
UNDONE: Final = "undone"
"""What was decided before about this image does not count."""
COLUMNS = ("path", "label", "decision")
TIME = "time"
"""An optional fourth column."""
WITH_LABEL = (ACCEPTED, CORRECTED)
"""Decisions that name the right class."""
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Correction:
    """One row. path: as in the results, with bytes that are not UTF-8 as `os.fsdecode` gives them.

    label: the right class; empty if the decision is `rejected` or `undone`. time: when it was decided, ISO 8601 in UTC, or
    empty. Together with the path, it identifies the row. line: in the file, from 1; 0 if it is not in one. replaces: how
    many earlier rows of this image it stands in for.
    """

    path: str
    label: str
    decision: Decision
    time: str = ""
    line: int = 0
    replaces: int = 0


def read_corrections(path: Path) -> dict[str, Correction]:
    """The corrections that count, by the path of the image. A row `undone` removes what came before it.

    A last line that was cut off is ignored. Raises SourceError, with the number of the line.
    """
    return latest(_Contents.read(path).rows)


def latest(rows: Iterable[Correction]) -> dict[str, Correction]:
    """By image, the rows that count."""
    counting: dict[str, Correction] = {}
    for row in rows:
        earlier = counting.pop(row.path, None)
        if row.decision != UNDONE:
            counting[row.path] = replace(row, replaces=earlier.replaces + 1) if earlier else row
    return counting


def require_known_labels(corrections: Iterable[Correction], classes: Collection[str], path: Path) -> None:
    """Raise SourceError for the first correction to a class that does not exist. path: of the file."""
    for one in corrections:
        if one.label and one.label not in classes:
            problem = f"names the class {one.label!r}, which does not exist; {advice(one.label, classes)}"
            raise SourceError(one_line(f"line {one.line:,} of {path} {problem}"))


class CorrectionsFile:
    """The file, open to append to. Locked while it is open; safe to use from several threads.

    Raises OutputError if it cannot be written or is open elsewhere, SourceError if a row is damaged; both before anything
    is changed.
    """

    def __init__(self, path: Path) -> None:
        contents = _Contents.read(path) if path.exists() else _Contents()
        self._lock = threading.Lock()
        self._counting = latest(contents.rows)
        self._written = {(row.path, row.time) for row in contents.rows if row.time}
        beginning = (_BOM if contents.has_bom else "") + ",".join(COLUMNS)
        if contents.lacks_newline:
            _end_line(path)
        self._file = AppendOnlyFile(
            path, "corrections file", beginning.encode(), "name another file", or_else="name another file"
        )
        self._has_time = contents.has_time or self._file.is_empty
        self._lines = max(1, contents.lines)
        if self._file.is_empty:
            self._file.append(_line((*COLUMNS, TIME)))

    def counting(self) -> dict[str, Correction]:
        """The corrections that count now, by the path of the image."""
        with self._lock:
            return dict(self._counting)

    def append(self, corrections: Sequence[Correction]) -> int:
        """Append those that are not in the file already, in one write, and flush them to the disk. Returns how many.

        A row is the same if its path and its time are. Raises OutputError.
        """
        with self._lock:
            new = [one for one in dict.fromkeys(corrections) if (one.path, one.time) not in self._written]
            if new:
                self._file.append(b"".join(map(self._row, new)))
                self._file.sync()
            for one in new:
                self._lines += 1
                self._count(replace(one, line=self._lines))
        return len(new)

    def close(self) -> None:
        self._file.close()

    @property
    def path(self) -> Path:
        return self._file.path

    def _row(self, correction: Correction) -> bytes:
        cells = (correction.path, correction.label, correction.decision)
        return _line((*cells, correction.time) if self._has_time else cells)

    def _count(self, correction: Correction) -> None:
        earlier = self._counting.pop(correction.path, None)
        self._counting |= latest([earlier, correction] if earlier else [correction])
        if correction.time:
            self._written.add((correction.path, correction.time))


@dataclass(frozen=True)
class _Contents:
    """What is in a file. lines: with the header. lacks_newline: the last row is whole but for the end of its line."""

    rows: tuple[Correction, ...] = ()
    lines: int = 0
    has_time: bool = False
    has_bom: bool = False
    lacks_newline: bool = False

    @classmethod
    def read(cls, path: Path) -> "_Contents":
        try:
            with open(path, "rb") as file:
                return cls._parse(path, file)
        except (FileNotFoundError, NotADirectoryError):
            close = near(path) or "clf-review writes one"
            raise SourceError(f"{path} does not exist; {close}") from None
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror or error}; name a corrections file") from None

    @classmethod
    def _parse(cls, path: Path, lines: Iterable[bytes]) -> "_Contents":
        rows: list[Correction] = []
        header, number, is_whole = "", 0, True
        for number, line in enumerate(lines, 1):
            is_whole = line.endswith(b"\n")
            try:
                text = line.decode().rstrip("\r\n")
                if number == 1:
                    header = _checked_header(text)
                elif text:
                    rows.append(_parse_row(text, header, number, is_whole))
            except (_RowError, UnicodeDecodeError, csv.Error) as error:
                if number > 1 and not is_whole:  # cut off by a kill; nobody was told that it was written
                    return cls(tuple(rows), number - 1, TIME in header, header.startswith(_BOM))
                problem = str(error) if isinstance(error, _RowError) else "is not CSV in UTF-8; correct or remove it"
                raise SourceError(one_line(f"line {number:,} of {path} {problem}")) from None
        return cls(tuple(rows), number, TIME in header, header.startswith(_BOM), bool(rows) and not is_whole)


class _RowError(Exception):
    """What is wrong with a line, and what to do."""


def _checked_header(header: str) -> str:
    if header.removeprefix(_BOM).split(",") not in ([*COLUMNS], [*COLUMNS, TIME]):
        raise _RowError(f"must be {','.join(COLUMNS)}; name a file that clf-review wrote")
    return header


def _parse_row(text: str, header: str, number: int, is_whole: bool) -> Correction:
    cells = [unescape(cell) for cell in next(csv.reader([text]))]
    if len(cells) != header.count(",") + 1:
        raise _RowError(f"has {len(cells)} cells, not {header.count(',') + 1}; correct or remove it")
    path, label, decision, time = (*cells, "")[:4]
    known = get_args(Decision)
    if decision not in known:
        raise _RowError(f"has the decision {decision!r}; {advice(decision, known)}")
    if not path:
        raise _RowError("has no path; correct or remove it")
    if decision in WITH_LABEL and not label:
        raise _RowError(f"has no label, and the decision is {decision!r}; correct or remove it")
    if time and not is_whole and not time.endswith("Z"):
        raise _RowError("is cut off")
    return Correction(path, label if decision in WITH_LABEL else "", decision, time, number)  # type: ignore[arg-type]


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(escape_cell, cells))
    return text.getvalue().encode()


def _end_line(path: Path) -> None:
    """A row that somebody wrote without the end of its line would be taken for one that was cut off."""
    try:
        with open(path, "ab") as file:
            file.write(b"\n")
    except OSError as error:
        raise cannot_write(path, error) from None
