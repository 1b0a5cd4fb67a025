"""How many wrong labels does `clf-check --labels` find, and how many others does it report?

`python -m edgeclf.benchmarks.label_errors DATA...`: folders with one sub-folder per class. One label in twenty is made wrong
at random, three times; then the command is run.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from edgeclf.benchmarks.results import publish_section, table
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.results.intervals import wilson_interval

app = command_app()
SHARE = 0.05
_EXPLAINED = """\
One label in twenty was replaced by that of another class, with three seeds. `recall`: the share of these that
`clf-check --labels` names; `precision`: the share of what it names that is among them. Labels that were wrong before count
against the precision. `right class`: the share of the found ones for which the suggested class is the true one. With 95 %
Wilson intervals over all seeds. `seconds`: the whole command, the slowest seed.

"""


@dataclass(frozen=True)
class Outcome:
    """Of one run. found: how many of the `wrong` labels are among the `named` ones; suggested: those with the true class."""

    wrong: int
    named: int
    found: int
    suggested: int
    seconds: float


@app.command()
def label_errors(
    data: Annotated[list[Path], typer.Argument(help="Folders with one sub-folder per class.", show_default=False)],
    seeds: Annotated[int, typer.Option(help="How often labels are made wrong.")] = 3,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        rows = []
        with Progress("checking", len(data) * seeds, "run") as progress:
            for folder in data:
                outcomes = []
                for seed in range(seeds):
                    outcomes.append(measure(folder, seed))
                    progress.advance()
                rows.append(_row(folder, outcomes))
        columns = ("images", "wrong", "precision", "recall", "right class", "seconds")
        text = _EXPLAINED + table(columns, rows)
        publish_section("Label errors", "edgeclf.benchmarks.label_errors", text)
        print_data(text)


def measure(folder: Path, seed: int) -> Outcome:
    """Make labels wrong in a copy of the folder, and run the command on it."""
    with tempfile.TemporaryDirectory() as temporary:
        truth = spoil(folder, Path(temporary) / "data", seed)
        began = time.monotonic()
        command = [str(Path(sys.executable).with_name("clf-check")), f"{temporary}/data", "--labels", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
    if not done.stdout:
        raise RuntimeError(done.stderr)
    findings = [one for one in json.loads(done.stdout)["findings"] if one["kind"] == "label_error"]
    suggested = {Path(one["paths"][0]).name: one["wrong_label"]["suggested"] for one in findings}
    found = [name for name in suggested if name in truth]
    right = [name for name in found if suggested[name] == truth[name]]
    return Outcome(len(truth), len(suggested), len(found), len(right), seconds)


def spoil(folder: Path, copy: Path, seed: int) -> dict[str, str]:
    """Copy the images of all splits to one folder per class, some of them wrong, and return the true class of those."""
    images = sorted(_images(folder))
    classes = sorted({name for _, name in images})
    rng = np.random.default_rng(seed)
    wrong = set(rng.choice(len(images), round(SHARE * len(images)), replace=False).tolist())
    truth = {}
    for number, (path, name) in enumerate(images):
        label, kept = name, f"{number:05}{path.suffix}"
        if number in wrong:
            label = str(rng.choice([other for other in classes if other != name]))
            truth[kept] = name
        (copy / label).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy / label / kept)
    return truth


def _images(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            yield path, path.parent.name


def _row(folder: Path, outcomes: list[Outcome]) -> list[str]:
    wrong, named, found, suggested = (
        sum(getattr(one, name) for one in outcomes) for name in ("wrong", "named", "found", "suggested")
    )
    return [
        f"{folder.name}, {len(list(_images(folder))):,}",
        f"{wrong}",
        _share(found, named),
        _share(found, wrong),
        _share(suggested, found),
        f"{max(one.seconds for one in outcomes):.0f}",
    ]


def _share(part: int, whole: int) -> str:
    if not whole:
        return "none"
    low, high = wilson_interval(part, whole)
    return f"{part / whole:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    app()
