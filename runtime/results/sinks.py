"""Where outcomes go: CSV or JSON lines, in a file or on stdout."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.escaping import escape_cell
from edgeclf.runtime.model.prediction import Failure, Outcome
from edgeclf.runtime.publishing import cannot_write, publish

STDOUT = "-"
CSV_COLUMNS = ("path", "status", "label", "confidence", "error", "detail")


class Sink:
    """Takes outcomes one by one, each as one line. `place` is where they are for now: `FILE.part`, or stdout."""

    def __init__(self, file: BinaryIO, header: str, format_row: Callable[[Outcome], str]) -> None:
        self.place = Path(str(file.name))
        self.rows = 0
        self._file = file
        self._header = header
        self._format_row = format_row

    def write(self, outcome: Outcome) -> None:
        """Append one row. Raises OutputError when the disk is full or gone, BrokenPipeError when the reader is."""
        line = self._format_row(outcome)
        with self._friendly():
            self._file.write((line if self.rows else self._header + line).encode("utf-8"))
        self.rows += 1

    def flush(self) -> None:
        """Hand on what is buffered. Raises as `write` does."""
        with self._friendly():
            self._file.flush()

    @contextmanager
    def _friendly(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write(self.place, error) from None


@contextmanager
def open_sink(output: str, *, json_lines: bool = False) -> Iterator[Sink]:
    """A sink for `FILE.csv`, `FILE.jsonl`, or `-`: stdout as CSV, or as JSON lines on request.

    A file gets its name when the block ends well; otherwise the rows so far stay in `FILE.part`.
    Raises OutputError before anything is classified when the place cannot be written to.
    """
    path = Path(output)
    suffix = ".jsonl" if json_lines else ".csv"
    if output != STDOUT and (not os.path.exists(path) or os.path.isfile(path)):
        suffix = path.suffix.lower()
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder; name a file in it, such as {path / 'results.csv'}")
    if suffix not in _FORMATS:
        raise OutputError(f"{path} ends in none of {' '.join(_FORMATS)}; the suffix chooses the format of the results")
    header, format_row = _FORMATS[suffix]
    if output == STDOUT:
        sink = Sink(sys.stdout.buffer, header, format_row)
        yield sink
        sink.flush()
        return
    with publish(path, keep_partial=True) as file:
        yield Sink(file, header, format_row)


def _csv_line(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _csv_row(outcome: Outcome) -> str:
    name = escape_cell(outcome.name)
    if isinstance(outcome.result, Failure):
        return _csv_line((name, "error", "", "", outcome.result.reason, escape_cell(outcome.result.detail)))
    answer = outcome.result
    return _csv_line((name, "ok", escape_cell(answer.label), f"{answer.confidence:.6f}", "", ""))


def _json_row(outcome: Outcome) -> str:
    row: dict[str, object] = {"path": outcome.name}
    if isinstance(outcome.result, Failure):
        row |= {"status": "error", "error": outcome.result.reason, "detail": outcome.result.detail}
    else:
        answer = outcome.result
        scores = {label: round(score, 6) for label, score in answer.scores.items()}
        row |= {"status": "ok", "label": answer.label, "confidence": round(answer.confidence, 6), "scores": scores}
    return json.dumps(row) + "\n"  # ASCII: a name that is not UTF-8 keeps its bytes as \udcXX


_FORMATS: dict[str, tuple[str, Callable[[Outcome], str]]] = {
    ".csv": (_csv_line(CSV_COLUMNS), _csv_row),
    ".jsonl": ("", _json_row),
}
