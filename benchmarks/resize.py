"""Which resize should be the default? Accuracy of networks trained and tested through each, and the time each takes.

`python -m edgeclf.benchmarks.resize [DATA...]`: labelled folders of your own, or the solar cells.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, note
from edgeclf.runtime.terminal.progress import Progress

if TYPE_CHECKING:
    from edgeclf.runtime.images.preprocess import Resize

app = command_app()

CANDIDATES: tuple["Resize", ...] = ("shrink", "area", "bilinear")
SIDES = ((375, 500), (1080, 1920), (3000, 4000))


@app.command()
def resize(
    data: Annotated[list[Path] | None, typer.Argument(help="Labelled folders; default the solar cells.")] = None,
    imgsz: Annotated[int, typer.Option(help="Side of the network's images.")] = 96,
    seeds: Annotated[int, typer.Option(help="Trainings for each resize.")] = 3,
    epochs: Annotated[int, typer.Option(help="Epochs of each training.")] = 20,
) -> None:
    """Measure, print the tables, and put them into benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as folder:
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.benchmarks.results import publish_section, table
        from edgeclf.benchmarks.solar_cells import make_folders

        if not data:
            make_folders(Path(folder) / "solar-cells")
            data = [Path(folder) / "solar-cells"]
        accuracies = [(path.name, measure_accuracy(path, imgsz, seeds, epochs, Path(folder))) for path in data]
        times = [(f"{width} x {height}", measure_time(Path(folder), height, width)) for height, width in SIDES]
        text = (
            f"Test accuracy of the default network at {imgsz} x {imgsz}, trained and tested through the same resize: mean "
            f"of {seeds} seeds, and their range.\n\n"
            + table(("data", *CANDIDATES), [(name, *map(_accuracy, by_resize)) for name, by_resize in accuracies])
            + "\nMilliseconds of one core to read, decode and resize a generated JPEG to 224 x 224; medians.\n\n"
            + table(
                ("JPEG", *CANDIDATES, "OpenCV's INTER_LINEAR"),
                [(name, *(f"{ms:.2f}" for ms in by_resize)) for name, by_resize in times],
            )
        )
        publish_section("Default resize", "edgeclf.benchmarks.resize", text)
        typer.echo(text)


def measure_accuracy(data: Path, imgsz: int, seeds: int, epochs: int, folder: Path) -> list[list[float]]:
    """Test accuracies by candidate, then by seed. The split is the same for all; where one is made, its seed is 0."""
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import scan
    from edgeclf.train.fit import fit
    from edgeclf.train.recipes import Recipe
    from edgeclf.train.results.evaluation import evaluate

    dataset = scan(data)
    accuracies = []
    for candidate in CANDIDATES:
        preprocess = Preprocess((imgsz, imgsz), resize=candidate)
        parts = {name: load(part, preprocess, name) for name, part in dataset.splits().items()}
        by_seed = []
        for seed in range(seeds):
            note(f"{data.name}, {candidate}, seed {seed}")
            recipe = Recipe(epochs=epochs, patience=0, seed=seed)
            trained = fit(recipe, len(dataset.classes), parts["train"], parts["val"], folder)
            by_seed.append(evaluate(trained.network, parts["test"], dataset.classes).accuracy)
        accuracies.append(by_seed)
    return accuracies


def measure_time(folder: Path, height: int, width: int, images: int = 8, rounds: int = 9) -> list[float]:
    """Milliseconds of one core an image: the candidates, and OpenCV's own bilinear after a full decode. Interleaved."""
    from edgeclf.benchmarks.peers.full_decode import FullDecode
    from edgeclf.benchmarks.photographs import write_photographs
    from edgeclf.runtime.images.preprocess import Preprocess

    root = folder / f"{width}x{height}"
    write_photographs(root, images, height, width)
    paths = sorted(root.rglob("*.jpg"))
    roads: list[Callable[[Path], object]] = [Preprocess((224, 224), resize=name) for name in CANDIDATES]
    roads.append(FullDecode.like(Preprocess((224, 224))))
    measured: list[list[float]] = [[] for _ in roads]
    with Progress(f"timing {width} x {height}", rounds, "round") as progress:
        for _ in range(rounds):
            for road, times in zip(roads, measured, strict=True):
                started = time.process_time()
                for path in paths:
                    road(path)
                times.append((time.process_time() - started) / images * 1e3)
            progress.advance()
    return [statistics.median(times) for times in measured]


def _accuracy(by_seed: list[float]) -> str:
    return f"{statistics.mean(by_seed):.3f} ({min(by_seed):.3f} to {max(by_seed):.3f})"


if __name__ == "__main__":
    app()
