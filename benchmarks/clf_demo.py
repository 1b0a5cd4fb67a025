"""`clf-demo`: train, export and run a classifier on real photographs, with the commands a user would type."""

import csv
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.errors import EdgeclfError, ExitCode, OutputError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, show_version
from edgeclf.runtime.terminal.escaping import unescape
from edgeclf.runtime.terminal.tables import Column, show_table

app = command_app()

EPILOG = """\b
Examples:
  clf-demo                all files in demo/
  clf-demo -o /tmp/cells  all files there

Exit codes: 0 success, 2 error."""
TRAINING = ("--grey", "--imgsz", "160", "--fine-tune", "0")
ARTIFACTS = {"ONNX fp32": "model.onnx", "TFLite INT8": "model.int8.tflite"}
PAPER = "Deitsch et al. 2019, on their own split: 88.42 % with a CNN, 82.44 % with an SVM"


@dataclass(frozen=True)
class DemoResult:
    """One line of the closing table. agreement, max_difference: compared with Keras; None for Keras itself."""

    name: str
    accuracy: float
    size_bytes: int
    agreement: float | None = None
    max_difference: float | None = None
    rate: float | None = None


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for all files; must not exist.")] = Path("demo"),
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Train, export, verify and run a classifier for solar cells (2,624 photographs); takes a few minutes on two cores."""
    with friendly_errors():
        if output.exists():
            raise OutputError(f"{output} already exists; choose another folder with -o")
        started = time.monotonic()
        metrics, results = run_demo(output)
        _show(metrics, results)
        typer.echo(err=True)
        note(f"all files are in {output}/: run/ (model, exports, reports), solar-cells/ (images), *.csv (predictions)")
        note(f"{time.monotonic() - started:.0f} s in total")


def run_demo(output: Path) -> tuple[dict[str, Any], list[DemoResult]]:
    """Run all commands, with files under `output`. Returns the training metrics and the lines of the closing table."""
    from edgeclf.benchmarks.solar_cells import make_folders

    cells, run = output / "solar-cells", output / "run"
    counts = make_folders(cells)
    splits = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    note(f"{cells}: solar cells from the package elpv-dataset, functional or defective ({splits})")

    keras, test, artifacts = run / "model.keras", cells / "test", [run / file for file in ARTIFACTS.values()]
    _step(["clf-train", cells, "-o", run, *TRAINING])
    _step(["clf-export", run])
    for path in artifacts:
        predictions, summary = output / f"{path.name}.csv", output / f"{path.name}.summary.json"
        _step(["clf-run", path, "--source", test, "-o", predictions, "--summary", summary])
    compared = _step(["python", "-m", "edgeclf.benchmarks.parity", keras, *artifacts, "--data", test])

    metrics = json.loads((run / "metrics.json").read_text())
    first = DemoResult("Keras", metrics["test"]["accuracy"], keras.stat().st_size)
    parities = zip(ARTIFACTS.items(), json.loads(compared), strict=True)
    return metrics, [first, *(_result(name, output / file, parity) for (name, file), parity in parities)]


def _step(words: Sequence[str | Path]) -> str:
    """Print a command, run it, and return its stdout. Raises EdgeclfError if it fails."""
    command, *arguments = (os.fspath(word) for word in words)
    typer.echo(err=True)
    note("$ " + shlex.join([command, *arguments]))
    # The commands are installed beside this Python; their folder may not be on the PATH.
    program = Path(sys.executable) if command == "python" else Path(sys.executable).with_name(command)
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=False)
    if done.returncode in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        raise KeyboardInterrupt
    if done.returncode:
        raise EdgeclfError(f"{command} failed with exit code {done.returncode}; the demo stops here")
    return done.stdout


def _result(name: str, path: Path, parity: dict[str, Any]) -> DemoResult:
    """path: of the predictions and the summary of `clf-run`, without their suffixes."""
    summary = json.loads(path.with_name(f"{path.name}.summary.json").read_text())
    return DemoResult(
        name=name,
        accuracy=_accuracy(path.with_name(f"{path.name}.csv")),
        size_bytes=parity["bytes"],
        agreement=parity["agreement"],
        max_difference=parity["max_probability_difference"],
        rate=summary["images_per_second"],
    )


def _accuracy(results: Path) -> float:
    """The share of rows whose label is the name of the image's folder."""
    with open(results, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = [row for row in rows if row["label"] == Path(unescape(row["path"])).parent.name]
    return len(right) / len(rows)


def _show(metrics: dict[str, Any], results: list[DemoResult]) -> None:
    columns = (
        Column("", "left"),
        Column("accuracy"),
        Column("same label as Keras", spare=1),
        Column("largest difference", spare=3),
        Column("images/s"),
        Column("size", spare=2),
    )
    test = metrics["test"]
    low, high = test["accuracy_95_interval"]
    typer.echo(err=True)
    note(f"On {test['images']:,} test cells that training has not seen:")
    show_table(columns, [_cells(result) for result in results])
    note(f"95 % interval of Keras's accuracy: {low:.1%} to {high:.1%}")
    note(f"always predicting functional: {test['majority_share']:.2%}")
    note(PAPER)


def _cells(result: DemoResult) -> tuple[str, ...]:
    return (
        result.name,
        f"{result.accuracy:.2%}",
        "" if result.agreement is None else f"{result.agreement:.2%}",
        "" if result.max_difference is None else f"{result.max_difference:.0e}",
        "" if result.rate is None else f"{result.rate:,.0f}",
        f"{result.size_bytes / 1e6:.2f} MB",
    )
