"""How long does a run take to resume after a million images, and how much memory does it need?

`python -m edgeclf.benchmarks.reopening`, on Linux.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

if TYPE_CHECKING:
    from edgeclf.runtime.images.frame import Frame

app = command_app()
PREFIX = "photos/"
EXPLAINED = """\
A journal of {rows:,} rows, {megabytes:,.0f} MB, opened by the next run in a new process. Then each of its images is looked
up and found done, and all rows are read for the output. In processor time.

"""


@app.command()
def reopening(
    rows: Annotated[int, typer.Option(min=1, help="Rows in the journal.")] = 1_000_000,
    journal: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        if journal:
            print_data(json.dumps(_reopen(journal, rows)))
            return
        from edgeclf.benchmarks.results import publish_section, table

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal"
            _write(path, rows)
            line = [sys.executable, "-m", "edgeclf.benchmarks.reopening", "--rows", str(rows), "--journal", str(path)]
            measured = json.loads(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout)
            text = EXPLAINED.format(rows=rows, megabytes=path.stat().st_size / 1e6)
        text += table(("", ""), list(measured.items()))
        publish_section("Going on after a million images", "edgeclf.benchmarks.reopening", text)
        print_data(text)


def _write(path: Path, rows: int) -> None:
    from edgeclf.runtime.results.journal import Entry, open_journal
    from edgeclf.runtime.results.row import Row

    frames = _frames(rows)
    with open_journal(path, {}, [PREFIX]) as journal, Progress("writing", rows, "row") as progress:
        while portion := list(islice(frames, 1_000)):
            top = {"functional": 0.987654}
            row = Row("", "ok", "functional", 0.987654, top, width=4000, height=3000, time="2026-11-22T21:00:00.123Z")
            journal.append([Entry(frame, row) for frame in portion])
            progress.advance(len(portion))


def _reopen(path: Path, rows: int) -> dict[str, str]:
    from edgeclf.benchmarks.machine import peak_memory_bytes
    from edgeclf.runtime.results.journal import open_journal

    before, started = peak_memory_bytes() or 0, time.process_time()
    with open_journal(path, {}, [PREFIX]) as journal:
        opened = time.process_time()
        held = ((peak_memory_bytes() or 0) - before) / rows
        assert next(journal.pending(_frames(rows)), None) is None
        asked = time.process_time()
        assert sum(1 for _ in journal.rows()) == rows
        read = time.process_time()
    return {
        "opened": f"{opened - started:.1f} s",
        "memory per row": f"{held:.0f} bytes",
        "lookup of an image": f"{(asked - opened) / rows * 1e6:.1f} us",
        "all rows read": f"{read - asked:.1f} s",
    }


def _frames(rows: int) -> "Iterator[Frame]":
    from edgeclf.runtime.images.frame import Frame

    for number in range(rows):
        path = f"site{number // 1000:04}/IMG_{number:07}.jpg"
        yield Frame(
            name=PREFIX + path,
            image=PREFIX + path,
            path=path,
            size_bytes=2_000_000 + number,
            mtime_ns=1_763_800_000_000_000_000 + number * 1_000_003,
        )


if __name__ == "__main__":
    app()
