"""Rows as lines for people, on a terminal. Programs get CSV or JSON lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO

from rich.cells import cell_len

from edgeclf.runtime.results.row import NO_LABEL, Row
from edgeclf.runtime.terminal.console import STDOUT
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.streams import data_stream

LEAST_SHOWN = 2
"""A line for an image shows at least this many classes: the second one tells how close it was."""
_MAX_WIDTH, _GAP = 48, "   "
"""Columns are aligned up to this width. What is longer is written in full, and the rest of its line stands behind it."""
_MAX_WAITING = 1000


def is_for_people(output: str, *, json_lines: bool) -> bool:
    """Whether rows go to a terminal in no particular format."""
    return output == STDOUT and not json_lines and data_stream().isatty()


class ImageLines:
    """A line for each image: `dog.jpg   dog 95.6 %   cat 4.4 %`. Lines that are written together are aligned.

    With `--like`, the similarity comes first.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[list[str]] = []
        self._widths: dict[int, int] = {}

    def write(self, row: Row) -> None:
        similarity = [] if row.similarity is None else [f"{row.similarity:.3f}"]
        cells = [*similarity, escape(row.path), *_image_cells(row)]
        for place, cell in enumerate(cells[:-1]):
            if (width := cell_len(cell)) <= _MAX_WIDTH:
                self._widths[place] = max(width, self._widths.get(place, 0))
        self._waiting.append(cells)
        if len(self._waiting) == _MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        self._file.write("".join(map(self._line, self._waiting)).encode())
        self._waiting.clear()
        self._file.flush()

    def finish(self) -> None:
        self.flush()

    def close(self) -> None:
        """The owner of the file closes it."""

    def _line(self, cells: Sequence[str]) -> str:
        *before, last = cells
        padded = [cell + " " * (self._widths.get(place, 0) - cell_len(cell)) for place, cell in enumerate(before)]
        return _GAP.join([*padded, last]) + "\n"


class LiveLines:
    """A line for each row of a live run, with the local time: `14:20:31  defective 91 %`.

    named: whether each line names its source, because there are several.
    """

    def __init__(self, file: BinaryIO, *, named: bool = False) -> None:
        self._file = file
        self._named = named

    def write(self, row: Row) -> None:
        time = f"{datetime.fromisoformat(row.time).astimezone():%H:%M:%S}"
        source = [escape(row.path)] if self._named else []
        self._file.write("  ".join([time, *source, _live_answer(row)]).encode() + b"\n")

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The owner of the file closes it."""


def _image_cells(row: Row) -> list[str]:
    target = [f"-> {escape(row.sorted_to)}"] if row.sorted_to else []
    if row.status == "error":
        return [_failure(row), *target]
    first, *others = [f"{escape(label)} {100 * share:.1f} %" for label, share in row.top.items()]
    return [f"{row.status}: {first}" if row.status in NO_LABEL else first, *others, *target]


def _live_answer(row: Row) -> str:
    if row.status == "error":
        return _failure(row)
    share = f"{row.confidence or 0:.0%}".replace("%", " %")
    return f"{row.status} {share}" if row.status in NO_LABEL else f"{escape(row.label)} {share}"


def _failure(row: Row) -> str:
    return f"error: {row.error}{row.detail and ', ' + escape(row.detail)}"
