"""What does an adopted file cost more than the original, and does the pipeline reach its limit with it?

`python -m edgeclf.benchmarks.adoption net.onnx`: float ONNX classifiers of other tools.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import onnxruntime as ort
import typer

from edgeclf.benchmarks.interleaving import interleaved_rounds
from edgeclf.benchmarks.peers import limit, pipeline
from edgeclf.benchmarks.photographs import write_photographs
from edgeclf.benchmarks.results import publish_section, table
from edgeclf.export.own_tool import OwnTool
from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.adoption.adopted import Adopted
from edgeclf.runtime.model.adoption.adopting import adopt, examine
from edgeclf.runtime.model.adoption.completion import complete, guess
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.model.conventions.package import find_model
from edgeclf.runtime.model.conventions.reading import read_facts
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

app = command_app()

_EXPLAINED = """\
The time of one image on one thread: the original with its float input, which somebody else has made, and the adopted file
with the uint8 image. `costs more` is the median of the differences of {runs} pairs, one right after the other, with its
quartiles. `of the limit` is the rate of the pipeline with the adopted file and {cores} workers, for JPEGs of 500 x 375,
divided by {cores} times that of one thread that reads, resizes and infers; medians of {rounds} interleaved rounds.

"""


@app.command()
def adoption(
    models: Annotated[list[Path], typer.Argument(help=".onnx files of other tools, or folders with one.")],
    runs: Annotated[int, typer.Option(min=10, help="Pairs of single images.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of pipeline and limit.")] = 5,
    images: Annotated[int, typer.Option(min=10, help="JPEGs per round.")] = 1_000,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        keep_freed_memory()
        cv2.setNumThreads(1)
        rows = [_row(model, runs, rounds, images) for model in models]
        columns = ("model", "original", "adopted", "costs more", "of the limit")
        text = _EXPLAINED.format(runs=runs, rounds=rounds, cores=usable_cores()) + table(columns, rows)
        publish_section("Adopted models", "edgeclf.benchmarks.adoption", text)
        print_data(text)


def _row(named: Path, runs: int, rounds: int, images: int) -> list[str]:
    with find_model(named) as package, tempfile.TemporaryDirectory() as folder:
        data = package.read()
        network = examine(package.path, data)
        if network.format != "ONNX":
            raise OptionError(f"{named} is not an ONNX file; name one")
        facts = complete(network, read_facts(package, data).over(guess()))
        if facts.classes is None:
            facts = facts.over(Facts(classes=Fact(tuple(map(str, range(network.outputs or 0))), "numbers")))
        adopted = adopt(package.path, data, facts, {})
        tool = OwnTool(network, adopted.card.head, lambda _: np.zeros(1), "")
        pixels = np.random.default_rng(0).integers(0, 256, adopted.card.preprocess.shape, np.uint8)
        original = _runner(str(package.path), tool.as_input(pixels, facts))
        times = _pairs(original, _runner(adopted.data, pixels[None]), runs)
        share = _share_of_limit(Path(folder), adopted, rounds, images)
    before, after = (statistics.median(side) for side in zip(*times, strict=True))
    low, middle, high = statistics.quantiles([second - first for first, second in times], n=4)
    more = f"{middle:+.2f} ms ({low:+.2f} to {high:+.2f})"
    return [named.stem, f"{before:.2f} ms", f"{after:.2f} ms", more, f"{share:.2f}"]


def _runner(model: str | bytes, image: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Callable[[], None]:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name, output = session.get_inputs()[0].name, session.get_outputs()[0].name
    return lambda: session.run([output], {name: image})[0] is None  # type: ignore[return-value]


def _pairs(first: Callable[[], None], second: Callable[[], None], runs: int) -> list[tuple[float, float]]:
    """Milliseconds of both, one right after the other."""
    times = []
    with Progress("comparing original and adopted file", runs, "pair") as progress:
        for _ in range(runs):
            marks = [time.perf_counter()]
            for run in (first, second):
                run()
                marks.append(time.perf_counter())
            times.append((1e3 * (marks[1] - marks[0]), 1e3 * (marks[2] - marks[1])))
            progress.advance()
    return times[len(times) // 10 :]


def _share_of_limit(folder: Path, adopted: Adopted, rounds: int, images: int) -> float:
    (folder / "model.onnx").write_bytes(adopted.data)
    write_photographs(folder / "photographs", images, 375, 500)
    classify = {"pipeline": pipeline.prepare(folder), "limit": limit.prepare(folder)}
    seconds: dict[str, list[float]] = {name: [] for name in classify}
    for order in interleaved_rounds(tuple(classify), rounds + 1):
        for name in order:
            started = time.perf_counter()
            classify[name]()
            seconds[name].append(time.perf_counter() - started)
    ratios = [limited / (usable_cores() * done) for limited, done in zip(seconds["limit"], seconds["pipeline"], strict=True)]
    return statistics.median(ratios[1:])


if __name__ == "__main__":
    app()
