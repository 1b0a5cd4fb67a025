"""How fast is the pipeline: against the machine's limit, the loop one would write by hand, and Keras's own loader?

`python -m edgeclf.benchmarks.throughput`: everything with the same weights on the same generated 500 x 375 JPEGs, in
interleaved rounds; medians of the ratios within a round, since a shared machine's speed drifts from round to round.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.console import Progress, command_app, friendly_errors
from edgeclf.runtime.cores import usable_cores

if TYPE_CHECKING:
    import keras

app = command_app()

SIZE = 224
Rates = dict[str, float]
LIMIT, PIPELINE, PLAIN, KERAS = "limit", "edgeclf", "plain loop", "Keras loader + predict"
EXPLAINED = (
    "{pictures} generated JPEGs of 500 x 375, the network's input {size} x {size}, onnxruntime on the CPU; medians and "
    "quartiles over {rounds} interleaved rounds. `limit` is cores / (time to read, decode and resize + time to infer), both "
    "on one thread without any pipeline.\n"
)


@app.command()
def throughput(
    pictures: Annotated[int, typer.Option(help="Pictures a round.")] = 300,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 11,
) -> None:
    """Measure, print the table, and put it into benchmarks/results.md."""
    with friendly_errors():
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.benchmarks.photographs import write_photographs
        from edgeclf.benchmarks.results import publish_section

        text = EXPLAINED.format(pictures=pictures, size=SIZE, rounds=rounds)
        with tempfile.TemporaryDirectory() as folder:
            write_photographs(Path(folder) / "photographs", pictures, 375, 500)
            for name, network in _networks().items():
                text += f"\n{name}:\n\n" + report(measure(Path(folder), network, rounds))
        publish_section("Throughput of the pipeline", "edgeclf.benchmarks.throughput", text)
        typer.echo(text)


def measure(folder: Path, network: "keras.Model", rounds: int) -> list[Rates]:
    """Pictures a second of every candidate over the JPEGs in `folder/photographs`, a dictionary a round."""
    from edgeclf.export.keras_model import KerasModel
    from edgeclf.export.to_onnx import to_onnx
    from edgeclf.runtime.frames.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard

    model = folder / "model.onnx"
    card = ModelCard(("a", "b"), Preprocess((SIZE, SIZE)), "sigmoid" if network.output_shape[1] == 1 else "softmax")
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


def report(measured: list[Rates]) -> str:
    """A Markdown table of median rates, with the pipeline's ratio to each: median, and the quartiles over the rounds."""
    from edgeclf.benchmarks.results import table

    rows = []
    for name in measured[0]:
        lower, middle, upper = statistics.quantiles((rates[PIPELINE] / rates[name] for rates in measured), n=4)
        ratio = "" if name == PIPELINE else f"{middle:.2f} ({lower:.2f} to {upper:.2f})"
        rows.append((name, f"{statistics.median(rates[name] for rates in measured):.0f}", ratio))
    return table(("", "pictures/s", "edgeclf is times as fast"), rows)


def _networks() -> "dict[str, keras.Model]":
    """The network that `clf-train` builds, and a common one for edge devices; untrained weights cost the same time."""
    import keras

    from edgeclf.train.architectures import ConvNet

    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    return {
        "clf-train's network": ConvNet().build(shape, 2),
        "MobileNetV3Small": keras.applications.MobileNetV3Small(input_shape=shape, weights=None, classes=2),
    }


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


def _keras(network: "keras.Model", pictures: Path) -> Callable[[], int]:
    import keras

    def run() -> int:
        dataset = keras.utils.image_dataset_from_directory(
            pictures, labels=None, image_size=(SIZE, SIZE), shuffle=False, verbose=False
        )
        return len(network.predict(dataset, verbose=0))

    return run


if __name__ == "__main__":
    app()
