"""Does decoding only once pay off? Epochs of one network, fed by `clf-train`'s arrays and by Keras's own loader.

`python -m edgeclf.benchmarks.training`: all epochs after the first one, in interleaved rounds.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

app = command_app()

OURS = "clf-train"
KERAS = "Keras's loader"
KERAS_CACHED = "Keras's loader, .cache()"


@app.command()
def training(
    images: Annotated[int, typer.Option(help="Images per epoch.")] = 512,
    imgsz: Annotated[int, typer.Option(help="Side of the network's images.")] = 128,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds of one epoch each.")] = 7,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        from edgeclf.train.quiet import import_keras

        import_keras()
        from edgeclf.benchmarks.photographs import write_photographs
        from edgeclf.benchmarks.results import publish_section, table

        write_photographs(Path(name), images, 375, 500)
        seconds = measure(Path(name), imgsz, rounds)
        rows = [
            (feed, f"{statistics.median(times):.2f}", "" if feed == OURS else _ratio(times, seconds[OURS]))
            for feed, times in seconds.items()
        ]
        text = (
            f"{images} generated JPEGs of 500 x 375, `--model cnn` at {imgsz} x {imgsz}, batches of 32, no augmentation; "
            f"{rounds} interleaved epochs after a first one, which is not counted.\n\n"
            + table(("fed by", "seconds per epoch", "clf-train is times as fast"), rows)
        )
        publish_section("An epoch of training", "edgeclf.benchmarks.training", text)
        print_data(text)


def measure(folder: Path, imgsz: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every epoch after the first one, by feed."""
    epochs = {feed: make(folder, imgsz) for feed, make in FEEDS.items()}
    measured: dict[str, list[float]] = {feed: [] for feed in epochs}
    with Progress("measuring", (rounds + 1) * len(epochs), "epoch") as progress:
        for number in range(rounds + 1):
            for feed, epoch in epochs.items():
                started = time.perf_counter()
                epoch()
                if number:
                    measured[feed].append(time.perf_counter() - started)
                progress.advance()
    return measured


def _ours(folder: Path, imgsz: int) -> Callable[[], object]:
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.train.batches import Batches, Inputs
    from edgeclf.train.data.arrays import load
    from edgeclf.train.data.dataset import as_split, find

    found = find(folder)
    labelled = [(path, label) for label, paths in enumerate(found["train"].values()) for path in paths]
    arrays = load(as_split(labelled), Preprocess((imgsz, imgsz)), "training")
    inputs = Inputs((arrays.images,), arrays.labels)
    return _epoch(imgsz, lambda: Batches(inputs, 32, (0, 0, 0)), shuffle=False)


def _keras(folder: Path, imgsz: int, cached: bool = False) -> Callable[[], object]:
    import keras
    import tensorflow as tf

    dataset = keras.utils.image_dataset_from_directory(folder, image_size=(imgsz, imgsz), seed=0, verbose=False)
    dataset = (dataset.cache() if cached else dataset).prefetch(tf.data.AUTOTUNE)
    return _epoch(imgsz, lambda: dataset)


def _epoch(imgsz: int, feed: Callable[[], Any], **options: bool) -> Callable[[], object]:
    """A function that trains its own network, compiled as in `clf-train`, for one more epoch."""
    import keras

    from edgeclf.train.networks.architectures import ConvNet

    keras.utils.set_random_seed(0)
    network = ConvNet().build((imgsz, imgsz, 3), 2)
    network.compile("adam", "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    return lambda: network.fit(feed(), epochs=1, verbose=0, **options)


FEEDS: dict[str, Callable[[Path, int], Callable[[], object]]] = {
    OURS: _ours,
    KERAS: _keras,
    KERAS_CACHED: lambda folder, imgsz: _keras(folder, imgsz, cached=True),
}


def _ratio(times: list[float], ours: list[float]) -> str:
    ratios = [theirs / own for theirs, own in zip(times, ours, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    app()
