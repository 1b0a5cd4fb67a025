"""What does Ray cost, and how many images can the machine that runs the command hand out?

`python -m edgeclf.benchmarks.scaling`, on Linux: `clf-run --ray` against `clf-run` alone, on the same images and
cores, in interleaved rounds. `edgeclf.benchmarks.sizing` estimates large runs from the results.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

if TYPE_CHECKING:
    from edgeclf.benchmarks.peers.rounds import Rates

app = command_app()

HEIGHT, WIDTH, DISTINCT = 375, 500, 300
NETWORK = "MobileNetV3Small"
ALONE, RAY = "clf-run", "clf-run --ray"
OUTPUTS = {ALONE: "rows.parquet", RAY: "rows"}
EXPLAINED = """\
{images:,} generated JPEGs of {width} x {height} ({kilobytes:.0f} kB each; hard links to {distinct} files, so all of them
are in memory), {model}, on {cores} cores. Both commands run in new processes and write Parquet. `whole command` is from
start to end, including the start of Ray; `row to row` is from the time in the first row to the time in the last one.
Medians of {rounds} interleaved rounds; ratios are taken within a round, with their quartiles.

"""
NEEDED = "\n{ray}, row to row: {rate:.0f} images per second and core; each core reads {megabytes:.1f} MB per second.\n"
HANDED_OUT = """
The machine that runs the command, in processor time and without Ray itself: it lists these images, which are local and
whose names are in memory, and loads {rows:,} rows from parts of {part_rows:,}.

"""


@app.command()
def scaling(
    images: Annotated[int, typer.Option(min=2, help="Images to classify.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 3,
    rows: Annotated[int, typer.Option(min=1, help="Rows in the parts that a resumed run loads.")] = 1_000_000,
    model: Annotated[
        Path | None, typer.Option(help=".onnx or .tflite file.", show_default=f"an untrained {NETWORK}")
    ] = None,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        from edgeclf.benchmarks.driver import PART_ROWS, driver_table
        from edgeclf.benchmarks.results import publish_section

        folder = Path(name)
        text = commands(folder, model, write_images(folder, images), rounds)
        text += HANDED_OUT.format(rows=rows, part_rows=PART_ROWS) + driver_table(folder, rows)
        publish_section("Many machines", "edgeclf.benchmarks.scaling", text)
        print_data(text)


def write_images(folder: Path, count: int) -> list[Path]:
    """Make `count` image files below `folder/photographs`, 1,000 in each folder."""
    from edgeclf.benchmarks.photographs import write_photographs

    write_photographs(folder / "originals", min(count, DISTINCT), HEIGHT, WIDTH)
    originals = sorted((folder / "originals").rglob("*.jpg"))
    images = [folder / "photographs" / f"{number // 1000:05}" / f"{number:08}.jpg" for number in range(count)]
    for number, image in enumerate(images):
        image.parent.mkdir(parents=True, exist_ok=True)
        os.link(originals[number % len(originals)], image)
    return images


def commands(folder: Path, model: Path | None, images: list[Path], rounds: int) -> str:
    """The section about both commands, and what a core of a worker needs."""
    from edgeclf.benchmarks.throughput import export_network, networks

    if model is None:
        export_network(networks()[NETWORK], folder)
    measured = measure(folder, (model or folder / "model.onnx").absolute(), rounds)
    image_bytes = statistics.mean(image.stat().st_size for image in images)
    rate = statistics.median(rates[f"{RAY}, row to row"] for rates in measured) / usable_cores()
    text = EXPLAINED.format(
        images=len(images),
        width=WIDTH,
        height=HEIGHT,
        kilobytes=image_bytes / 1e3,
        distinct=min(len(images), DISTINCT),
        model=model.name if model else NETWORK,
        cores=usable_cores(),
        rounds=rounds,
    )
    needed = NEEDED.format(ray=f"`{RAY}`", rate=rate, megabytes=rate * image_bytes / 1e6)
    return text + report(measured) + needed


def measure(folder: Path, model: Path, rounds: int) -> "list[Rates]":
    """Images per second of both commands by both clocks, one dictionary per round. Raises EdgeclfError if one fails."""
    from edgeclf.benchmarks.interleaving import interleaved_rounds

    measured = []
    with Progress("measuring", rounds * len(OUTPUTS), "run") as progress:
        for order in interleaved_rounds(list(OUTPUTS), rounds):
            rates: Rates = {}
            for command in order:
                rates |= run(command, folder, model)
                progress.advance(1, command)
            measured.append(rates)
    return measured


def run(command: str, folder: Path, model: Path) -> "Rates":
    """Run one command as a user types it, and read its rows."""
    import numpy as np
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory(dir=folder) as place:
        output = Path(place) / OUTPUTS[command]
        name, *options = command.split()
        line = [str(Path(sys.executable).with_name(name)), str(model), "--source", str(folder / "photographs"), *options]
        started = time.perf_counter()
        done = subprocess.run(
            [*line, "--device", "cpu", "-o", str(output)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment_without_cluster(),
            check=False,
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise EdgeclfError(f"{command} failed with exit code {done.returncode}: {done.stderr.strip()}")
        times = np.sort(pq.read_table(output, columns=["time"])["time"].to_numpy().astype("datetime64[ms]").astype(float))
    between = int((times > times[0]).sum()) / max((times[-1] - times[0]) / 1000, 0.001)
    return {f"{command}, whole command": len(times) / seconds, f"{command}, row to row": between}


def environment_without_cluster() -> dict[str, str]:
    """The environment without the address of a cluster, which would have other cores."""
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


def report(measured: "list[Rates]") -> str:
    """A Markdown table of median rates, with the ratio of Ray to the command alone."""
    from edgeclf.benchmarks.peers.rounds import rate, ratio
    from edgeclf.benchmarks.results import table

    rows = []
    for clock in ("whole command", "row to row"):
        ours, ray = f"{ALONE}, {clock}", f"{RAY}, {clock}"
        rows.append((clock, rate(measured, ours), rate(measured, ray), ratio(measured, ray, ours)))
    return table(("images/s", f"`{ALONE}`", f"`{RAY}`", "Ray is times as fast"), rows)


if __name__ == "__main__":
    app()
