"""What do embeddings and heatmaps cost a file in time and size?

`python -m edgeclf.benchmarks.outputs`: untrained networks, since weights do not change the time.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer

from edgeclf.benchmarks.interleaving import interleaved_rounds
from edgeclf.benchmarks.results import publish_section, table
from edgeclf.export.frozen import Frozen, freeze
from edgeclf.export.int8_tflite import TfliteQuantizer
from edgeclf.export.to_onnx import to_onnx
from edgeclf.export.to_tflite import to_tflite
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.backend import Backend, open_backend
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.train.keras_file.saving import KerasModel
from edgeclf.train.networks.architectures import ConvNet

app = command_app()
_CLASSES = 10
_EXPLAINED = """\
One image on one thread, {classes} classes. Each number is the median of {rounds} interleaved rounds, divided by the file
with `probabilities` alone in the same round, with its quartiles. `not asked` reads only `probabilities`, `asked`
all outputs.

"""
_FORMATS: dict[str, tuple[str, Callable[[Frozen, Pixels], bytes]]] = {
    "ONNX fp32": ("model.onnx", lambda frozen, _: to_onnx(frozen)),
    "TFLite fp32": ("model.tflite", lambda frozen, _: to_tflite(frozen, "fp32")),
    "TFLite int8": ("model.tflite", lambda frozen, images: TfliteQuantizer(frozen, images).quantize("min-max")),
}


@app.command()
def outputs(rounds: Annotated[int, typer.Option(min=10, help="Rounds of single images.")] = 300) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        rows = [row for name, network in _networks().items() for row in _rows(name, network, rounds)]
        columns = ("network", "file", "size", "not asked", "asked")
        text = _EXPLAINED.format(classes=_CLASSES, rounds=rounds) + table(columns, rows)
        publish_section("Further outputs", "edgeclf.benchmarks.outputs", text)
        print_data(text)


def _networks() -> dict[str, keras.Model]:
    body = keras.applications.MobileNetV3Small((224, 224, 3), include_top=False, weights=None)
    pooled = keras.layers.GlobalAveragePooling2D()(body.output)
    large = keras.Model(body.input, keras.layers.Dense(_CLASSES, "softmax")(pooled))
    return {"MobileNetV3Small": large, "our CNN": ConvNet().build((128, 128, 3), _CLASSES)}


def _rows(name: str, network: keras.Model, rounds: int) -> list[list[str]]:
    shape = network.input_shape[1:]
    card = ModelCard(tuple(map(str, range(_CLASSES))), Preprocess(shape[:2]))
    model = KerasModel(Path("model.keras"), network, card)
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    plain, complete = freeze(model), freeze(model, ("all",))
    rows = []
    for kind, (file, make) in _FORMATS.items():
        files = [make(frozen, images) for frozen in (plain, complete)]
        before, after = (open_backend(Path(file), "cpu", 1, data) for data in files)
        not_asked, asked = _ratios(before, after, images[:1], rounds)
        rows.append([name, kind, f"{len(files[1]) / len(files[0]):.4f}", not_asked, asked])
    return rows


def _ratios(plain: Backend, complete: Backend, image: Pixels, rounds: int) -> list[str]:
    runs: dict[str, Callable[[], object]] = {
        "plain": partial(plain.run, image),
        "not asked": partial(complete.run, image),
        "asked": partial(complete.run_outputs, image, (0, 1, 2)),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for order in interleaved_rounds(tuple(runs), rounds):
        for name in order:
            started = time.perf_counter()
            runs[name]()
            times[name].append(time.perf_counter() - started)
    shown = []
    for name in ("not asked", "asked"):
        ratios = [other / base for other, base in zip(times[name], times["plain"], strict=True)][rounds // 10 :]
        low, middle, high = statistics.quantiles(ratios, n=4)
        shown.append(f"{middle:.3f} ({low:.3f} to {high:.3f})")
    return shown


if __name__ == "__main__":
    app()
