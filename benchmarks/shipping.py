"""What does `clf-bench` recommend for a tutorial's CNN, is the result repeatable, and how fast does that model start?

`python -m edgeclf.benchmarks.shipping [DATA]`: trains the recipe `boolean` on the solar cells, or on your labelled
images, exports it in all formats, and runs `clf-bench` twice. `--run DIR` uses an existing training run with its exports.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.errors import EdgeclfError, ExitCode
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data
from edgeclf.runtime.terminal.plural import plural

app = command_app()

EXPLAINED = """\
The {subject}, exported with `--all`. `clf-bench` ran twice in a row: {rounds} rounds of {seconds:g} s each, {images}.
`times as fast` compares with the first row; its interval comes from resampling the rounds.

"""


@app.command()
def shipping(
    data: Annotated[Path | None, typer.Argument(help="Labelled images.", show_default="the solar cells")] = None,
    recipe: Annotated[str, typer.Option(help="Recipe for clf-train.")] = "boolean",
    options: Annotated[str, typer.Option(help="More options for clf-train, separated by spaces.")] = "",
    run: Annotated[Path | None, typer.Option(help="An existing training run with its exports.")] = None,
    rounds: Annotated[int, typer.Option(help="Measurement rounds of clf-bench.")] = 7,
) -> None:
    """Train, export, benchmark twice, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        from edgeclf.benchmarks.results import publish_section

        subject = f"training run `{run.name}`" if run else f"recipe `{recipe}` trained on {_name(data)}"
        run = run or train(Path(name), data, recipe, options.split())
        line = ("clf-bench", str(run), "--against", str(run / "model.keras"), "--rounds", str(rounds), "--json")
        first, second = (json.loads(command(line)) for _ in range(2))
        text = EXPLAINED.format(subject=subject, rounds=rounds, seconds=first["seconds_a_round"], images=_images(first))
        publish_section(f"Which file to ship: {subject}", "edgeclf.benchmarks.shipping", text + compare(first, second))
        print_data(text + compare(first, second))


def train(folder: Path, data: Path | None, recipe: str, options: list[str]) -> Path:
    """Train a model in `folder` and export it in all formats. Returns the run folder."""
    from edgeclf.benchmarks.solar_cells import make_folders

    if data is None:
        data = folder / "solar-cells"
        make_folders(data)
    run = folder / "run"
    command(["clf-train", str(data), "-o", str(run), "--recipe", recipe, *options])
    command(["clf-export", str(run / "model.keras"), "--all"])
    return run


def command(words: Sequence[str]) -> str:
    """Run one of our commands and return its stdout. Raises EdgeclfError if it fails; a missed gate is not a failure."""
    name, *arguments = words
    note(f"$ {' '.join(words)}")
    line = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=False)
    if done.returncode not in (ExitCode.OK, ExitCode.GATE_MISSED):
        raise EdgeclfError(f"{name} failed with exit code {done.returncode}; see its messages above")
    return done.stdout


def compare(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Both runs of `clf-bench` as Markdown: a table, their recommendations, and the cold start."""
    from edgeclf.benchmarks.bench.report import Interval
    from edgeclf.benchmarks.results import table

    again = {row["name"]: row for row in second["results"]}
    rows = [
        (
            row["name"],
            f"{row['accuracy']['accuracy']:.1%}",
            f"{row['images_per_s']:.0f}",
            str(Interval(**row["ratio"])),
            str(Interval(**again[row["name"]]["ratio"])),
            "yes" if _overlap(row["ratio"], again[row["name"]]["ratio"]) else "no",
            f"{row['of_limit']['middle']:.2f}",
            f"{row['size_bytes'] / 1e6:.1f} MB",
        )
        for row in first["results"]
        if row["name"] in again
    ]
    columns = ("file", "accuracy", "images/s", "times as fast", "second run", "overlap", "of the limit", "size")
    sentences = [f"{number} run: {report['because']}." for number, report in (("First", first), ("Second", second))]
    return table(columns, rows) + "\n" + "\n\n".join([*sentences, _start(first)]) + "\n"


def _start(report: dict[str, Any]) -> str:
    keras = report["reference"]["cold_start"]
    ours = report["results"][report["ship"] or 0]["cold_start"]
    share = f"{ours['cpu_seconds'] / keras['cpu_seconds']:.1%} of the processor time"
    if ours["memory_bytes"] and keras["memory_bytes"]:
        share += f" and {ours['memory_bytes'] / keras['memory_bytes']:.1%} of the memory"
    both = f"the recommended model takes {_costs(ours)}, Keras {_costs(keras)}"
    return f"From the start of a process to its first prediction, {both}: {share}."


def _costs(start: dict[str, Any]) -> str:
    memory = f" and {start['memory_bytes'] / 1e6:.0f} MB" if start["memory_bytes"] else ""
    return f"{start['seconds']:.2f} s, {start['cpu_seconds']:.2f} s of processor time{memory}"


def _name(data: Path | None) -> str:
    return data.name if data else "the solar cells"


def _images(report: dict[str, Any]) -> str:
    """What was classified, without the folders of this machine."""
    images = next(row["accuracy"]["images"] for row in report["results"])
    return plural(images, "test image")


def _overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return one["low"] <= other["high"] and other["low"] <= one["high"]


if __name__ == "__main__":
    app()
