"""Which resize method should be the default? The accuracy of networks trained and tested with each, and its time.

`python -m edgeclf.benchmarks.resize [DATA...]`: your labelled folders, or the solar cells.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data
from edgeclf.runtime.terminal.progress import Progress

if TYPE_CHECKING:
    from edgeclf.runtime.images.preprocess import Resize

app = command_app()

METHODS: tuple["Resize", ...] = ("shrink", "area", "bilinear")
SIDES = ((375, 500), (1080, 1920), (3000, 4000))


@app.command()
def resize(
    data: Annotated[list[Path] | None, typer.Argument(help="Labelled folders.", show_default="the solar cells")] = None,
    imgsz: Annotated[int, typer.Option(help="Side of the network's images.")] = 96,
    seeds: Annotated[int, typer.Option(help="Trainings with each method.")] = 3,
    epochs: Annotated[int, typer.Option(help="Epochs of each training.")] = 20,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as folder:
        from edgeclf.train.quiet import import_keras

        import_keras()
        from edgeclf.benchmarks.results import publish_section, table
        from edgeclf.benchmarks.solar_cells import make_folders

        if not data:
            make_folders(Path(folder) / "solar-cells")
            data = [Path(folder) / "solar-cells"]
        accuracies = [(path.name, measure_accuracy(path, imgsz, seeds, epochs, Path(folder))) for path in data]
        times = [(f"{width} x {height}", measure_time(Path(folder), height, width)) for height, width in SIDES]
        text = (
            f"Test accuracy of the default network at {imgsz} x {imgsz}, trained and tested with the same resize: mean "
            f"of {seeds} seeds, and their range.\n\n"
            + table(("data", *METHODS), [(name, *map(_accuracy, by_resize)) for name, by_resize in accuracies])
            + "\nMilliseconds on one core to read, decode and resize a generated JPEG to 224 x 224; medians.\n\n"
            + table(
                ("JPEG", *METHODS, "OpenCV's INTER_LINEAR"),
                [(name, *(f"{ms:.2f}" for ms in by_resize)) for name, by_resize in times],
            )
        )
        publish_section("Default resize", "edgeclf.benchmarks.resize", text)
        print_data(text)


def measure_accuracy(data: Path, imgsz: int, seeds: int, epochs: int, folder: Path) -> list[list[float]]:
    """Test accuracies by method, then by seed. The split is always the same; if `data` has none, it is cut with seed 0."""
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import scan
    from edgeclf.train.fit import fit
    from edgeclf.train.recipes import Recipe
    from edgeclf.train.results.evaluation import evaluate

    dataset = scan(data)
    accuracies = []
    for method in METHODS:
        preprocess = Preprocess((imgsz, imgsz), resize=method)
        arrays = {name: load(split, preprocess, name) for name, split in dataset.splits().items()}
        by_seed = []
        for seed in range(seeds):
            note(f"{data.name}, {method}, seed {seed}")
            recipe = Recipe(epochs=epochs, patience=0, seed=seed)
            trained = fit(recipe, len(dataset.classes), arrays["train"], arrays["val"], folder)
            by_seed.append(evaluate(trained.network, arrays["test"], dataset.classes).accuracy)
        accuracies.append(by_seed)
    return accuracies


def measure_time(folder: Path, height: int, width: int, images: int = 8, rounds: int = 9) -> list[float]:
    """Milliseconds per image on one core: all methods, then OpenCV's bilinear after a full decode. In interleaved rounds."""
    from edgeclf.benchmarks.peers.full_decode import full_decode
    from edgeclf.benchmarks.photographs import write_photographs
    from edgeclf.runtime.images.preprocess import Preprocess

    root = folder / f"{width}x{height}"
    write_photographs(root, images, height, width)
    paths = sorted(root.rglob("*.jpg"))
    functions: list[Callable[[Path], object]] = [Preprocess((224, 224), resize=name) for name in METHODS]
    functions.append(full_decode(Preprocess((224, 224))))
    measured: list[list[float]] = [[] for _ in functions]
    with Progress(f"timing {width} x {height}", rounds, "round") as progress:
        for _ in range(rounds):
            for function, times in zip(functions, measured, strict=True):
                started = time.process_time()
                for path in paths:
                    function(path)
                times.append((time.process_time() - started) / images * 1e3)
            progress.advance()
    return [statistics.median(times) for times in measured]


def _accuracy(by_seed: list[float]) -> str:
    return f"{statistics.mean(by_seed):.3f} ({min(by_seed):.3f} to {max(by_seed):.3f})"


if __name__ == "__main__":
    app()
