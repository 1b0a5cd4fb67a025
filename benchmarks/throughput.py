"""How fast is the pipeline: against the machine's limit, the loop one writes by hand, Keras's own loader, OpenVINO?

`uv run --with openvino python -m edgeclf.benchmarks.throughput`; OpenVINO is no dependency and is left out where it is not
installed. Everything with the same weights on the same generated JPEGs, in interleaved rounds; medians of the ratios within
a round, since a shared machine's speed drifts from round to round.
"""

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.console import command_app, friendly_errors, note
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError

if TYPE_CHECKING:
    import keras

    from edgeclf.benchmarks.peers.rounds import Candidate, Rates

app = command_app()

SIZE = 224
PIPELINE, LITERT = "edgeclf", "edgeclf, LiteRT"
APPEND, READ_BACK = "journal, appended", "journal, read back"
EXPLAINED = """\
From JPEG files to answers, float32 on the CPU, the network's input {size} x {size}. Every candidate is a process of its own
with the same weights. Medians over {rounds} interleaved rounds; ratios are taken within a round, with their quartiles.

- `limit` is cores / (time to read, decode and resize + time to infer), both on one thread without any pipeline, while the
  other cores have nothing to do. In `limit, all cores busy` that loop runs on each of the {cores} cores at the same time, in
  a process of its own: what the cores give when they share caches, memory and power.
- `edgeclf` is `edgeclf.runtime.pipeline.classify` with {cores} workers.
- `edgeclf, LiteRT` is the same with the network as a TFLite file in float32; everything else runs the ONNX file or the Keras
  file.
- `plain loop` decodes, resizes and runs one picture after the other, with every library's default threads.
- `OpenVINO` runs the same ONNX file, for one picture at a time: its AsyncInferQueue (THROUGHPUT), fed by one Python thread
  that decodes and resizes; or, arranged as edgeclf is, {cores} threads that decode, resize and infer.
"""
JOURNALED = (
    "\nIn the journal of `clf-run`, a row costs {append} on one core of {cores} while the run lasts; to read it back, once "
    "it is over, costs {read_back}.\n"
)
LARGER = (
    "\nLarger pictures, MobileNetV3Small: the default resize (`shrink`: a JPEG is halved while it is decoded), against "
    "decoding every pixel and OpenCV's `INTER_LINEAR` in the same pipeline.\n\n"
)
ANSWERED = (
    "\nThe same two in front of a trained model, `{model}`, on the pictures of `{data}`: as they are, and enlarged by "
    "bicubic interpolation to JPEGs of 12 megapixels. That adds no fine detail; a camera's pictures have it, and plain "
    "bilinear turns it into noise.\n\n"
)


@app.command()
def throughput(
    pictures: Annotated[int, typer.Option(help="JPEGs of 500 x 375 a round.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 11,
    model: Annotated[Path | None, typer.Option(help="With --data: a trained .onnx or .tflite file.")] = None,
    data: Annotated[Path | None, typer.Option(help="Pictures that it has not seen, in a folder for each class.")] = None,
) -> None:
    """Measure, print the tables, and put them into benchmarks/results.md."""
    with friendly_errors():
        if (model is None) != (data is None):
            raise OptionError("--model and --data belong together: a trained model, and labelled pictures to test it on")
        from edgeclf.benchmarks import camera
        from edgeclf.benchmarks.results import publish_section

        if model and data:  # first: a model or a folder that is not there ends it now
            answered = ANSWERED.format(model=_ending(model), data=_ending(data)) + camera.answers(model, data)
        else:
            answered = _left_out("What the resize does to a trained model's answers", "name one with --model and --data")
        text = EXPLAINED.format(size=SIZE, rounds=rounds, cores=usable_cores())
        with tempfile.TemporaryDirectory() as folder:
            text += pipelines(Path(folder), pictures, rounds)
            text += LARGER + camera.rates(Path(folder), rounds) + answered
        publish_section("Throughput of the pipeline", "edgeclf.benchmarks.throughput", text)
        typer.echo(text)


def candidates() -> "dict[str, Candidate]":
    """Who is measured on every network; OpenVINO only where it is installed."""
    from edgeclf.benchmarks.peers.rounds import Candidate

    cores = usable_cores()
    found = {
        "limit": Candidate("limit", times=cores),
        PIPELINE: Candidate("pipeline"),
        LITERT: Candidate("litert"),
        "limit, all cores busy": Candidate("limit", pinned=cores),
        "edgeclf, one worker": Candidate("one_worker"),
        "plain loop": Candidate("plain_loop"),
        "Keras loader + predict": Candidate("keras_loader"),
    }
    if importlib.util.find_spec("openvino"):
        found["OpenVINO, asynchronous queue"] = Candidate("openvino_queue")
        found["OpenVINO, one request a thread"] = Candidate("openvino_threads")
    return found


def pipelines(folder: Path, pictures: int, rounds: int) -> str:
    """A table for each network, and what the journal adds. The last network stays behind as `folder/model.onnx`."""
    from edgeclf.benchmarks.peers.rounds import Candidate, measure
    from edgeclf.benchmarks.photographs import write_photographs

    compared = candidates()
    installed = any(name.startswith("OpenVINO") for name in compared)
    text = "" if installed else _left_out("OpenVINO", "it is not installed: uv run --with openvino python -m ...")
    journal = {APPEND: Candidate("journal"), READ_BACK: Candidate("journal_read")}
    write_photographs(folder / "photographs", pictures, 375, 500)
    for title, network in networks().items():
        export_network(network, folder)
        measured = measure(compared | journal, folder, rounds)
        text += f"\n{title}, {pictures} generated JPEGs of 500 x 375:\n\n"
        text += report(measured, list(compared)) + journal_cost(measured)
    return text


def report(measured: "list[Rates]", names: list[str]) -> str:
    """A Markdown table of median rates, with the ratios of both pipelines to each."""
    from edgeclf.benchmarks.peers.rounds import rate, ratio
    from edgeclf.benchmarks.results import table

    rows = [
        (name, rate(measured, name), *("" if name == ours else ratio(measured, ours, name) for ours in (PIPELINE, LITERT)))
        for name in names
    ]
    return table(("", "pictures/s", "edgeclf is times as fast", "with LiteRT"), rows)


def journal_cost(measured: "list[Rates]") -> str:
    """A sentence: what a row costs, as a share of the time that the pipeline takes for a picture with all cores."""
    from edgeclf.benchmarks.peers.rounds import quartiles

    costs = []
    for name in (APPEND, READ_BACK):
        _, microseconds, _ = quartiles([1e6 / rates[name] for rates in measured])
        lower, share, upper = quartiles([rates[PIPELINE] / rates[name] for rates in measured])
        costs.append(f"{microseconds:.0f} us, {share:.2%} ({lower:.2%} to {upper:.2%}) of what a picture takes")
    return JOURNALED.format(append=costs[0], read_back=costs[1], cores=usable_cores())


def _ending(path: Path) -> str:
    """Enough to know it by, and nothing of the machine."""
    return "/".join(path.absolute().parts[-2:])


def _left_out(what: str, cure: str) -> str:
    """Say so on stderr, and in the text."""
    sentence = f"{what} is not measured here ({cure})"
    note(sentence)
    return f"\n{sentence}.\n"


def networks() -> "dict[str, keras.Model]":
    """What `clf-train --model cnn` builds, and a common one for edge devices; untrained weights cost the same time."""
    from edgeclf.train.quiet import quiet_tensorflow

    quiet_tensorflow()
    import keras

    from edgeclf.train.networks.architectures import ConvNet

    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    return {
        "clf-train's network (`--model cnn`)": ConvNet().build(shape, 2),
        "MobileNetV3Small": keras.applications.MobileNetV3Small(input_shape=shape, weights=None, classes=2),
    }


def export_network(network: "keras.Model", folder: Path) -> None:
    """The same weights as `model.keras`, `model.onnx` and `model.fp32.tflite`."""
    from edgeclf.export.to_onnx import to_onnx
    from edgeclf.export.to_tflite import to_tflite
    from edgeclf.runtime.frames.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.results.saving import KerasModel

    card = ModelCard(("a", "b"), Preprocess((SIZE, SIZE)), "sigmoid" if network.output_shape[1] == 1 else "softmax")
    network.save(folder / "model.keras")
    model = KerasModel(folder / "model.keras", network, card)
    (folder / "model.onnx").write_bytes(to_onnx(model))
    (folder / "model.fp32.tflite").write_bytes(to_tflite(model, "fp32"))


if __name__ == "__main__":
    app()
