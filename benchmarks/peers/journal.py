"""Only the journal of `clf-run`, during a run: images are looked up and rows appended."""

import tempfile
from itertools import islice
from pathlib import Path

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.journal import Entry, Journal, open_journal
from edgeclf.runtime.results.row import Row

PREFIX = "night/"
_ROWS = 20_000
_ROWS_A_WRITE = 4
"""Rows that a worker hands over at once: the smallest write of `clf-run`, and so the highest cost per row."""


def prepare(folder: Path) -> ClassifyAll:
    """Returns the same label for every row."""
    frames, rows = make_rows()  # not measured: every output needs them, with or without a journal

    def run() -> list[int]:
        with tempfile.TemporaryDirectory(dir=folder) as place, open_journal(Path(place, "journal"), {}, [PREFIX]) as journal:
            return [0] * fill(journal, frames, rows)

    return run


def fill(journal: Journal, frames: list[Frame], rows: list[Row]) -> int:
    """Append all rows as a run does, and return their number."""
    pending = zip(journal.pending(frames), rows, strict=True)
    while portion := [Entry(frame, row) for frame, row in islice(pending, _ROWS_A_WRITE) if frame]:
        journal.append(portion)
    return journal.index.done


def make_rows() -> tuple[list[Frame], list[Row]]:
    """Frames and rows like those of a night of camera images."""
    frames = [_frame(number) for number in range(_ROWS)]
    return frames, [_row(frame) for frame in frames]


def _frame(number: int) -> Frame:
    path = f"2026-11-22/camera-{number % 4}/{number:08}.jpg"
    return Frame(
        name=PREFIX + path,
        image=PREFIX + path,
        path=path,
        size_bytes=60_000 + number,
        mtime_ns=1_790_000_000_000_000_000 + number,
    )


def _row(frame: Frame) -> Row:
    model, time = "0123456789abcdef", "2026-11-22T21:00:00.123Z"
    top = {"functional": 0.987654}
    return Row(frame.name, "ok", "functional", 0.987654, top, width=500, height=375, model=model, time=time)
