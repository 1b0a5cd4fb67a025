"""The speed of Ray's driver, the machine that runs the command: it lists the images, looks them up and hands them out.

`edgeclf.benchmarks.scaling` runs it in a new process, so that the memory is only this work's.
"""

import json
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edgeclf.benchmarks.machine import peak_memory_bytes
from edgeclf.benchmarks.results import table
from edgeclf.runtime.cluster.pending_frames import PendingFrames
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.sources.source import open_source
from edgeclf.runtime.storage.object_store import Store
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

app = command_app()

PART_ROWS = 4096


def driver_table(folder: Path, rows: int) -> str:
    """A Markdown table for the images in `folder/photographs`, and for `rows` rows, which are written to `folder/parts`."""
    write_parts(folder / "parts", rows)
    line = [sys.executable, "-m", "edgeclf.benchmarks.driver", str(folder)]
    measured = json.loads(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout)
    size_bytes = sum(file.stat().st_size for file in (folder / "parts").glob("part-*"))
    return table(("", ""), [*measured.items(), ("a row in a part", f"{size_bytes / rows:.0f} bytes")])


def write_parts(folder: Path, rows: int) -> None:
    """Write rows as a run does: all images are different, and none failed."""
    parts = Parts(Store.open(str(folder)))
    run = parts.begin({}, restart=False)
    with Progress("writing", rows, "row") as progress:
        for number, start in enumerate(range(0, rows, PART_ROWS)):
            made = [_row(index) for index in range(start, min(start + PART_ROWS, rows))]
            parts.write(run, number, made)
            progress.advance(len(made))


def _row(number: int) -> Row:
    confidence = round(number * 0.618034 % 1, 6)
    path = f"s3://bucket/photos/site{number // 1000:06}/IMG_{number:09}.jpg"
    return Row(
        path=path,
        status="ok",
        label="functional",
        confidence=confidence,
        top={"functional": confidence},
        width=500,
        height=375,
        model="0123456789ab",
        time=f"2026-11-22T21:00:{number // 1000 % 60:02}.123Z",
        size_bytes=88_000 + number * 7919 % 9973,
        mtime_ns=1_763_800_000_000_000_000 + number * 1_000_003,
    )


@app.command()
def driver(folder: Path) -> None:
    """Measure, and print JSON."""
    with friendly_errors():
        print_data(json.dumps(measure(folder)))


def measure(folder: Path) -> dict[str, str]:
    """Rates, times and memory as text, by what was measured."""
    source = open_source(str(folder / "photographs"))
    count = sum(1 for _ in source)
    listing = seconds(lambda: sum(1 for _ in source))
    packing = seconds(lambda: sum(len(pickle.dumps(portion)) for portion in PendingFrames(source, Index()).portions(2)))
    parts = Parts(Store.open(str(folder / "parts")))
    before = peak_memory_bytes() or 0
    loading = seconds(parts.index, times=1)
    held = (peak_memory_bytes() or 0) - before
    return {
        "images listed, with sizes and times": f"{count / listing:,.0f}/s",
        "listed, looked up, and packed in portions": f"{count / packing:,.0f}/s",
        "all rows loaded before a run": f"{loading:.1f} s, {held / 1e6:,.0f} MB",
        "all rows counted after it": f"{seconds(parts.count, times=1):.1f} s",
    }


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The median of the processor time."""
    measured = []
    for _ in range(times):
        started = time.process_time()
        work()
        measured.append(time.process_time() - started)
    return statistics.median(measured)


if __name__ == "__main__":
    app()
