"""How fast is the pipeline: against the machine's limit, the loop one would write by hand, and Keras's own loader?

`python -m edgeclf.benchmarks.throughput`: everything with the same weights on the same generated 500 x 375 JPEGs, in
interleaved rounds; medians of the ratios within a round, since a shared machine's speed drifts from round to round.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.console import Progress, command_app, friendly_errors
from edgeclf.runtime.cores import usable_cores

app = command_app()

SIZE = 224
Rates = dict[str, float]
LIMIT, PIPELINE, PLAIN, KERAS = "limit", "edgeclf", "plain loop", "Keras loader + predict"


@app.command()
def throughput(
    pictures: Annotated[int, typer.Option(help="Pictures a round.")] = 200,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 7,
) -> None:
    """Measure, print the table, and put it into benchmarks/results.md."""
    with friendly_errors():
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.benchmarks.results import publish_section

        with tempfile.TemporaryDirectory() as folder:
            measured = measure(Path(folder), pictures, rounds)
        text = report(measured, pictures)
        publish_section("Throughput of the pipeline", "edgeclf.benchmarks.throughput", text)
        typer.echo(text)


def measure(folder: Path, count: int, rounds: int) -> list[Rates]:
    """Pictures a second of every candidate, a dictionary a round."""
    import keras

    from edgeclf.benchmarks.photographs import write_photographs
    from edgeclf.export.keras_model import KerasModel
    from edgeclf.export.to_onnx import to_onnx
    from edgeclf.runtime.frames.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.architectures import ConvNet

    write_photographs(folder / "photographs", count, 375, 500)
    keras.utils.set_random_seed(0)
    network = ConvNet().build((SIZE, SIZE, 3), 2)
    model = folder / "model.onnx"
    card = ModelCard(("a", "b"), Preprocess((SIZE, SIZE)), "sigmoid")
    model.write_bytes(to_onnx(KerasModel(folder / "model.keras", network, card)))
    candidates: dict[str, Callable[[], int]] = {
        LIMIT: _limit(model, folder / "photographs"),
        PIPELINE: _pipeline(model, folder / "photographs"),
        PLAIN: _plain_loop(model, folder / "photographs"),
        KERAS: _keras(network, folder / "photographs"),
    }
    measured: list[Rates] = []
    with Progress("measuring", (rounds + 1) * len(candidates), "runs") as progress:
        for _ in range(rounds + 1):
            rates: Rates = {}
            for name, run in candidates.items():
                started = time.perf_counter()
                done = run()
                rates[name] = done / (time.perf_counter() - started)
                progress.advance(1, name)
            rates[LIMIT] *= usable_cores()
            measured.append(rates)
    return measured[1:]  # the first round warms up


def report(measured: list[Rates], count: int) -> str:
    """A Markdown table of median rates, with the pipeline's ratio to each: median, and the range over the rounds."""
    from edgeclf.benchmarks.results import table

    rows = []
    for name in measured[0]:
        ratios = sorted(rates[PIPELINE] / rates[name] for rates in measured)
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        rate = statistics.median(rates[name] for rates in measured)
        rows.append((name, f"{rate:.0f}", "" if name == PIPELINE else spread))
    explained = (
        f"{count} JPEGs of 500 x 375, the default network at {SIZE} x {SIZE}, {len(measured)} interleaved rounds. `limit` "
        "is cores / (time to read, decode and resize + time to infer), both on one thread without any pipeline.\n"
    )
    return table(("", "pictures/s", "edgeclf is times as fast"), rows) + "\n" + explained


def _limit(model: Path, pictures: Path) -> Callable[[], int]:
    """One thread, one picture after the other: the sum of the two times, with nothing between them."""
    import cv2

    from edgeclf.runtime.frames.sources import open_source
    from edgeclf.runtime.model.classifier import Classifier

    classifier = Classifier.open(model, device="cpu", threads=1)

    def run() -> int:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        count = 0
        for frame in open_source(str(pictures)):
            classifier.backend.run(classifier.card.preprocess(frame.picture)[None])
            count += 1
        cv2.setNumThreads(threads)
        return count

    return run


def _pipeline(model: Path, pictures: Path) -> Callable[[], int]:
    from edgeclf.runtime.frames.sources import open_source
    from edgeclf.runtime.model.classifier import Classifier
    from edgeclf.runtime.pipeline import classify

    classifier = Classifier.open(model, device="cpu", threads=1)
    return lambda: sum(1 for _ in classify(open_source(str(pictures)), classifier))


def _plain_loop(model: Path, pictures: Path) -> Callable[[], int]:
    """Read, decode, resize, run one picture, with every library's default threads: what one writes first."""
    import cv2
    import numpy as np
    import onnxruntime as ort

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    files = sorted(pictures.rglob("*.jpg"))

    def run() -> int:
        for file in files:
            pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
            assert pixels is not None
            rgb = cv2.cvtColor(cv2.resize(pixels, (SIZE, SIZE)), cv2.COLOR_BGR2RGB)
            session.run(None, {"image": rgb[None]})
        return len(files)

    return run


def _keras(network: object, pictures: Path) -> Callable[[], int]:
    import keras

    def run() -> int:
        dataset = keras.utils.image_dataset_from_directory(
            pictures, labels=None, image_size=(SIZE, SIZE), shuffle=False, verbose=False
        )
        return len(network.predict(dataset, verbose=0))  # type: ignore[attr-defined]

    return run


if __name__ == "__main__":
    app()
