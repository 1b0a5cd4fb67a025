"""Does a small network learn more from a teacher than from labels? Paired over seeds, each with a split of its own.

`python -m edgeclf.benchmarks.teaching photos/ cells/`: for each data set and seed, `clf-train` trains the default network,
and then `--model cnn` by the labels and by that teacher, on the same split. Takes hours on a laptop.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgeclf.benchmarks.interleaving import interleaved_rounds
from edgeclf.benchmarks.networks import train
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

app = command_app()

_ROUNDS = 9


@app.command()
def teaching(
    data: Annotated[list[Path], typer.Argument(help="Labelled images: folders, archives or CSV files.")],
    seeds: Annotated[int, typer.Option(min=2, help="Seeds for each data set.")] = 5,
    split: Annotated[str, typer.Option(help="As for clf-train; a larger test split narrows the interval.")] = "0.6,0.1,0.3",
    teacher: Annotated[str, typer.Option(help="More options for the teacher, separated by spaces.")] = "",
    student: Annotated[str, typer.Option(help="More options for both students, separated by spaces.")] = "",
) -> None:
    """Train, print the table, and write it to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as folder:
        from edgeclf.benchmarks.results import publish_section, table

        rows = []
        for number, one in enumerate(data):
            runs = [
                _train_all(one, Path(folder) / f"{number}-{seed}", ["--split", split, "--seed", str(seed)], teacher, student)
                for seed in range(seeds)
            ]
            rows.append((one.name, *_cells(runs), _speed(Path(folder) / f"{number}-0")))
            note(" | ".join(rows[-1]))
        columns = ("data", "teacher", "by labels", "by the teacher", "points more", "parameters", "time per image, ratio")
        text = (
            f"`--model cnn {student}`, test accuracy, means of {seeds} seeds, each with its own split {split}. In "
            f"brackets: the 95 % interval of the paired differences (Student's t).\n\n{table(columns, rows)}"
        )
        publish_section("A student and its teacher", "edgeclf.benchmarks.teaching", text)
        print_data(text)


def _train_all(data: Path, folder: Path, options: list[str], teacher: str, student: str) -> list[dict[str, Any]]:
    """The metrics of the teacher, of the student by labels, and of the student by the teacher."""
    folder.mkdir()
    by_labels = ["--model", "cnn", *options, *student.split()]
    return [
        train(data, folder / "teacher", [*options, *teacher.split()]),
        train(data, folder / "labels", by_labels),
        train(data, folder / "taught", [*by_labels, "--teacher", str(folder / "teacher")]),
    ]


def _cells(runs: list[list[dict[str, Any]]]) -> list[str]:
    from edgeclf.train.results.intervals import mean_interval

    accuracies = np.array([[metrics["test"]["accuracy"] for metrics in run] for run in runs])
    more = 100 * (accuracies[:, 2] - accuracies[:, 1])
    low, high = mean_interval(more.tolist())
    parameters = {run[position]["parameters"] for run in runs for position in (1, 2)}
    means = [f"{mean:.1%}" for mean in accuracies.mean(axis=0)]
    return [*means, f"{more.mean():+.1f} ({low:+.1f} to {high:+.1f})", " and ".join(f"{count:,}" for count in parameters)]


def _speed(folder: Path) -> str:
    """Time of the taught student as a share of the other's, median and quartiles of interleaved rounds."""
    from edgeclf.train.any_model import open_any

    models = {name: open_any(folder / name / "model.keras") for name in ("labels", "taught")}
    images = np.zeros((32, *models["labels"].card.preprocess.shape), np.uint8)
    ratios = []
    for order in interleaved_rounds(tuple(models), _ROUNDS + 1):
        seconds = {}
        for name in order:
            started = time.perf_counter()
            models[name].probabilities(images)
            seconds[name] = time.perf_counter() - started
        ratios.append(seconds["taught"] / seconds["labels"])
    low, median, high = statistics.quantiles(ratios[1:], n=4)
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    app()
