"""How fast is the pipeline: against the machine's limit, and against what one would otherwise write or install?

`python -m edgeclf.benchmarks.throughput`. Everything with the same weights on the same generated JPEGs, in interleaved
rounds; medians of the ratios within a round, since a shared machine's speed drifts from round to round.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note

if TYPE_CHECKING:
    import keras

    from edgeclf.benchmarks.peers.rounds import Candidate, Rates

app = command_app()

SIZE = 224
CNN, MOBILENET = "clf-train's network (`--model cnn`)", "MobileNetV3Small"
JOBS = ((CNN, 375, 500, 1), (MOBILENET, 375, 500, 1), (MOBILENET, 1080, 1920, 6), (MOBILENET, 3000, 4000, 12))
"""Network, height and width of the JPEGs, and of which part of the images there are so many."""
EXPLAINED = """\
From JPEG files to answers, float32 on the CPU, the network's input {size} x {size}. Every candidate is a process of its own
with the same weights. Medians over {rounds} interleaved rounds; ratios are taken within a round, with their quartiles.

- `edgeclf` is `edgeclf.runtime.pipeline.classify` with {cores} workers and the ONNX file; `edgeclf, LiteRT` is the same with
  the TFLite file. `edgeclf, every pixel decoded` has a full decode and OpenCV's `INTER_LINEAR` in place of the default
  resize (`shrink`: a JPEG is halved while it is decoded).
- `limit` is cores / (time to read, decode and resize + time to infer), both on one thread without any pipeline, while the
  other cores have nothing to do. In `limit, all cores busy` that loop runs on each of the {cores} cores at the same time, in
  a process of its own: what the cores give when they share caches, memory and power.
- `plain loop` decodes, resizes and runs one image after the other, with every library's default threads; with LiteRT, one
  interpreter on all cores. The other loops over ONNX files and the torch loader read images with the same lines.
- `Keras loader + predict` is `image_dataset_from_directory` and `predict`, batches of 32; `tutorials' loop` is `load_img`,
  `img_to_array` and `predict` for one image at a time, the first {most} in a round. Both run the Keras file.
- `tf.data + TFLite` is a parallel map with AUTOTUNE (read, decode, resize), batches of 4 and prefetching, in front of
  LiteRT on all cores.
- `torch DataLoader + onnxruntime` has {cores} persistent worker processes that read, decode and resize, and batches of 4;
  the threads of onnxruntime do not spin, since the workers need the cores.
- `OpenVINO` runs the ONNX file for one image at a time: its AsyncInferQueue (THROUGHPUT), fed by one Python thread that
  decodes and resizes; or, arranged as edgeclf is, {cores} threads that decode, resize and infer.
- `Ultralytics predict` runs the network from an ONNX file like its own exports, in batches of 32. Its preprocessing is its
  own, too: it looks at the middle of every image, and not at the whole.

In environments of their own:

{elsewhere}
"""
JOURNALED = (
    "\nIn the journal of `clf-run`, a row costs {append} on one core of {cores} while the run lasts; to read it back, once "
    "it is over, costs {read_back}.\n"
)
EXAMINED = (
    "\nThe same with a trained model, `{run}`, on the images of `{data}`: as they are, and enlarged by bicubic "
    "interpolation to JPEGs of 12 megapixels. That adds no fine detail; a camera's images have it, and plain bilinear "
    "turns it into noise.\n\n"
)
UNEXAMINED = "What they answer is not measured here (name a trained model and labelled images: --run and --data)."


@app.command()
def throughput(
    images: Annotated[int, typer.Option(min=1, help="JPEGs of 500 x 375 a round; fewer of the larger ones.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 7,
    run: Annotated[Path | None, typer.Option(help="With --data: a run folder with model.keras and its exports.")] = None,
    data: Annotated[Path | None, typer.Option(help="Images that it has not seen, in a folder for each class.")] = None,
    environments: Annotated[Path | None, typer.Option(help="Folder that keeps the peers' environments.")] = None,
) -> None:
    """Measure, print the tables, and put them into benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        if (run is None) != (data is None):
            raise OptionError("--run and --data belong together: a trained model, and labelled images to test it on")
        from edgeclf.benchmarks.peers.accuracy import Exam
        from edgeclf.benchmarks.peers.registry import MOST, OURS, find_peers
        from edgeclf.benchmarks.results import publish_section

        folder = Path(name)
        exam = Exam.open(run, data) if run and data else None  # first: what is not there ends it now
        peers, elsewhere = find_peers(environments or folder / "environments")
        facts = {"size": SIZE, "rounds": rounds, "cores": usable_cores(), "most": MOST, "elsewhere": elsewhere}
        text = EXPLAINED.format(**facts) + pipelines(folder, peers, images, rounds)
        if exam and run and data:
            text += EXAMINED.format(run=_ending(run), data=_ending(data)) + exam.table(OURS | peers, folder)
        else:
            note(UNEXAMINED)
            text += f"\n{UNEXAMINED}\n"
        publish_section("Throughput of the pipeline", "edgeclf.benchmarks.throughput", text)
        typer.echo(text)


def pipelines(folder: Path, peers: "dict[str, Candidate]", images: int, rounds: int) -> str:
    """A table for each network and size of the images, and what the journal adds to the small ones."""
    from edgeclf.benchmarks.peers.registry import JOURNAL, OURS, limits
    from edgeclf.benchmarks.peers.rounds import measure
    from edgeclf.benchmarks.photographs import write_photographs

    compared = limits() | OURS | peers
    known, text = networks(), ""
    for number, (network, height, width, part) in enumerate(JOBS):
        job = folder / f"job{number}"
        count = -(-images // part)
        write_photographs(job / "photographs", count, height, width)
        export_network(known[network], job)
        measured = measure(compared | (JOURNAL if part == 1 else {}), job, rounds)
        text += f"\n{network}, {count} generated JPEGs of {width} x {height}:\n\n" + report(measured, list(compared))
        text += journal_cost(measured) if part == 1 else ""
    return text


def report(measured: "list[Rates]", names: list[str]) -> str:
    """A Markdown table of median rates, with the ratios of both pipelines to each."""
    from edgeclf.benchmarks.peers.registry import LITERT, PIPELINE
    from edgeclf.benchmarks.peers.rounds import rate, ratio
    from edgeclf.benchmarks.results import table

    rows = [
        (name, rate(measured, name), *("" if name == ours else ratio(measured, ours, name) for ours in (PIPELINE, LITERT)))
        for name in names
    ]
    return table(("", "images/s", "edgeclf is times as fast", "with LiteRT"), rows)


def journal_cost(measured: "list[Rates]") -> str:
    """A sentence: what a row costs, as a share of the time that the pipeline takes for an image with all cores."""
    from edgeclf.benchmarks.peers.registry import APPEND, PIPELINE, READ_BACK
    from edgeclf.benchmarks.peers.rounds import quartiles

    costs = []
    for name in (APPEND, READ_BACK):
        _, microseconds, _ = quartiles([1e6 / rates[name] for rates in measured])
        lower, share, upper = quartiles([rates[PIPELINE] / rates[name] for rates in measured])
        costs.append(f"{microseconds:.0f} us, {share:.2%} ({lower:.2%} to {upper:.2%}) of what an image takes")
    return JOURNALED.format(append=costs[0], read_back=costs[1], cores=usable_cores())


def networks() -> "dict[str, keras.Model]":
    """What `clf-train --model cnn` builds, and a common one for edge devices; untrained weights cost the same time."""
    from edgeclf.train.quiet import quiet_tensorflow

    quiet_tensorflow()
    import keras

    from edgeclf.train.networks.architectures import ConvNet

    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    return {
        CNN: ConvNet().build(shape, 2),
        MOBILENET: keras.applications.MobileNetV3Small(input_shape=shape, weights=None, classes=2),
    }


def export_network(network: "keras.Model", folder: Path) -> None:
    """The same weights as `model.keras`, `model.onnx` and `model.fp32.tflite`."""
    from edgeclf.export.to_onnx import to_onnx
    from edgeclf.export.to_tflite import to_tflite
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.keras_file.saving import KerasModel

    card = ModelCard(("a", "b"), Preprocess((SIZE, SIZE)), "sigmoid" if network.output_shape[1] == 1 else "softmax")
    network.save(folder / "model.keras")
    model = KerasModel(folder / "model.keras", network, card)
    (folder / "model.onnx").write_bytes(to_onnx(model))
    (folder / "model.fp32.tflite").write_bytes(to_tflite(model, "fp32"))


def _ending(path: Path) -> str:
    """Enough to know it by, and nothing of the machine."""
    return "/".join(path.absolute().parts[-2:])


if __name__ == "__main__":
    app()
