"""How fast is the pipeline: against the machine's limit, the loop one would write by hand, and Keras's own loader?

`python -m edgeclf.benchmarks.throughput`: everything with the same weights on the same generated 500 x 375 JPEGs, in
interleaved rounds; medians of the ratios within a round, since a shared machine's speed drifts from round to round.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
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
    candidate: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[Path, typer.Option(hidden=True)] = Path(),
) -> None:
    """Measure, print the table, and put it into benchmarks/results.md."""
    with friendly_errors():
        if candidate:
            _serve(CANDIDATES[candidate](folder))
            return
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.benchmarks.photographs import write_photographs
        from edgeclf.benchmarks.results import publish_section

        text = EXPLAINED.format(pictures=pictures, size=SIZE, rounds=rounds)
        with tempfile.TemporaryDirectory() as name:
            write_photographs(Path(name) / "photographs", pictures, 375, 500)
            for title, network in _networks().items():
                _export(network, Path(name))
                text += f"\n{title}:\n\n" + report(measure(Path(name), rounds))
        publish_section("Throughput of the pipeline", "edgeclf.benchmarks.throughput", text)
        typer.echo(text)


def measure(folder: Path, rounds: int) -> list[Rates]:
    """Pictures a second of every candidate over the JPEGs in `folder/photographs`, a dictionary a round.

    Each candidate is a process of its own, which waits while another one runs.
    """
    line = [sys.executable, "-m", "edgeclf.benchmarks.throughput", "--folder", str(folder), "--candidate"]
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(subprocess.Popen([*line, name], stdin=PIPE, stdout=PIPE, text=True))
            for name in CANDIDATES
        }
        measured = []
        with Progress("measuring", (rounds + 1) * len(processes), "runs") as progress:
            for _ in range(rounds + 1):
                rates = {}
                for name, process in processes.items():
                    rates[name] = _ask(process)
                    progress.advance(1, name)
                rates[LIMIT] *= usable_cores()
                measured.append(rates)
        for process in processes.values():
            process.communicate()
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

    from edgeclf.train.networks.architectures import ConvNet

    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    return {
        "clf-train's network": ConvNet().build(shape, 2),
        "MobileNetV3Small": keras.applications.MobileNetV3Small(input_shape=shape, weights=None, classes=2),
    }


def _export(network: "keras.Model", folder: Path) -> None:
    """The same weights as `model.keras` and `model.onnx`."""
    from edgeclf.export.to_onnx import to_onnx
    from edgeclf.runtime.frames.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.results.saving import KerasModel

    card = ModelCard(("a", "b"), Preprocess((SIZE, SIZE)), "sigmoid" if network.output_shape[1] == 1 else "softmax")
    network.save(folder / "model.keras")
    (folder / "model.onnx").write_bytes(to_onnx(KerasModel(folder / "model.keras", network, card)))


def _ask(process: "subprocess.Popen[str]") -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("run\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _serve(run: Callable[[], int]) -> None:
    """In the candidate's process: for each line on stdin, run once and answer with the rate."""
    for _ in sys.stdin:
        started = time.perf_counter()
        done = run()
        typer.echo(str(done / (time.perf_counter() - started)))
        sys.stdout.flush()


def _limit(folder: Path) -> Callable[[], int]:
    """One thread, one picture after the other: the sum of the two times, with nothing between them."""
    import cv2

    from edgeclf.runtime.allocator import keep_freed_memory
    from edgeclf.runtime.frames.sources import open_source
    from edgeclf.runtime.model.classifier import Classifier

    keep_freed_memory()
    cv2.setNumThreads(1)
    classifier = Classifier.open(folder / "model.onnx", device="cpu", threads=1)

    def run() -> int:
        count = 0
        for frame in open_source(str(folder / "photographs")):
            classifier.backend.run(classifier.card.preprocess(frame.picture)[None])
            count += 1
        return count

    return run


def _pipeline(folder: Path) -> Callable[[], int]:
    from edgeclf.runtime.frames.sources import open_source
    from edgeclf.runtime.model.classifier import Classifier
    from edgeclf.runtime.pipeline import classify

    classifier = Classifier.open(folder / "model.onnx", device="cpu", threads=1)
    return lambda: sum(1 for _ in classify(open_source(str(folder / "photographs")), classifier))


def _plain_loop(folder: Path) -> Callable[[], int]:
    """Read, decode, resize, run one picture, with every library's default threads: what one writes first."""
    import cv2
    import numpy as np
    import onnxruntime as ort

    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    files = sorted((folder / "photographs").rglob("*.jpg"))

    def run() -> int:
        for file in files:
            pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
            assert pixels is not None
            rgb = cv2.cvtColor(cv2.resize(pixels, (SIZE, SIZE)), cv2.COLOR_BGR2RGB)
            session.run(None, {"image": rgb[None]})
        return len(files)

    return run


def _keras(folder: Path) -> Callable[[], int]:
    from edgeclf.train.quiet import quiet_tensorflow

    quiet_tensorflow()
    import keras

    network = keras.models.load_model(folder / "model.keras")

    def run() -> int:
        dataset = keras.utils.image_dataset_from_directory(
            folder / "photographs", labels=None, image_size=(SIZE, SIZE), shuffle=False, verbose=False
        )
        return len(network.predict(dataset, verbose=0))

    return run


CANDIDATES = {LIMIT: _limit, PIPELINE: _pipeline, PLAIN: _plain_loop, KERAS: _keras}


if __name__ == "__main__":
    app()
