"""The journal of `clf-run` by itself, while it runs: rows are asked for and appended."""

import tempfile
from itertools import islice
from pathlib import Path

from edgeclf.benchmarks.peers import Run
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.journal import Entry, Journal, open_journal
from edgeclf.runtime.results.row import Row

PREFIX = "night/"
_ROWS = 20_000
_ROWS_A_WRITE = 4
"""As many as a worker hands over at once: the smallest write, and so the dearest row, that `clf-run` makes."""


def prepare(folder: Path) -> Run:
    """A row's answer is its label, which is the first one in all of them."""
    frames, rows = night()  # not measured: every output needs them, with a journal and without

    def run() -> list[int]:
        with tempfile.TemporaryDirectory(dir=folder) as place, open_journal(Path(place, "journal"), {}, [PREFIX]) as journal:
            return [0] * fill(journal, frames, rows)

    return run


def fill(journal: Journal, frames: list[Frame], rows: list[Row]) -> int:
    """Append all rows as a run does; how many there are."""
    pending = zip(journal.pending(frames), rows, strict=True)
    while portion := [Entry(frame, row) for frame, row in islice(pending, _ROWS_A_WRITE) if frame]:
        journal.append(portion)
    return journal.index.done


def night() -> tuple[list[Frame], list[Row]]:
    """Frames and rows as a night's images make them."""
    frames = [_frame(number) for number in range(_ROWS)]
    return frames, [_row(frame) for frame in frames]


def _frame(number: int) -> Frame:
    path = f"2026-11-22/camera-{number % 4}/{number:08}.jpg"
    return Frame(PREFIX + path, PREFIX + path, path, 0, 60_000 + number, 1_790_000_000_000_000_000 + number)


def _row(frame: Frame) -> Row:
    model, time = "0123456789abcdef", "2026-11-22T21:00:00.123Z"
    top = {"functional": 0.987654}
    return Row(frame.name, "ok", "functional", 0.987654, top, width=500, height=375, model=model, time=time)
