"""How fast is the pipeline, compared with the machine's limit and with what a user could write or install instead?

`python -m edgeclf.benchmarks.throughput`. All with the same weights on the same generated JPEGs, in interleaved rounds.
Ratios are taken within a round, because the speed of a shared machine drifts from one round to the next.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

if TYPE_CHECKING:
    import keras

    from edgeclf.benchmarks.peers.rounds import Peer, Rates

app = command_app()

SIZE = 224
CNN, MOBILENET = "clf-train's network (`--model cnn`)", "MobileNetV3Small"
WORKLOADS = ((CNN, 375, 500, 1), (MOBILENET, 375, 500, 1), (MOBILENET, 1080, 1920, 6), (MOBILENET, 3000, 4000, 12))
"""Network, height and width of the JPEGs, and a divisor of the number of images: fewer for the larger ones."""
EXPLAINED = """\
From JPEG files to predictions, float32 on the CPU, the network's input {size} x {size}. Each row is a process of its own
with the same weights. Medians of {rounds} interleaved rounds; ratios are taken within a round, with their quartiles.

- `edgeclf` is `edgeclf.runtime.pipeline.classify` with {cores} workers and the ONNX file; `edgeclf, LiteRT` is the same with
  the TFLite file. `edgeclf, every pixel decoded` decodes fully and resizes with OpenCV's `INTER_LINEAR` instead of the
  default (`shrink`, which halves a JPEG while decoding).
- `limit` is cores / (time to read, decode and resize + time to infer), both on one thread without a pipeline, while the
  other cores are idle. In `limit, all cores busy`, that loop runs on all {cores} cores at the same time, in one process
  each; the cores then share caches, memory and power.
- `plain loop` decodes, resizes and classifies one image after the other, with every library's default threads; with LiteRT,
  one interpreter on all cores. The other ONNX loops and the torch loader read images with the same code.
- `Keras loader + predict` is `image_dataset_from_directory` and `predict`, batches of 32; `tutorials' loop` is `load_img`,
  `img_to_array` and `predict` for one image at a time, the first {most} in each round. Both run the Keras file.
- `tf.data + TFLite` is a parallel map with AUTOTUNE (read, decode, resize), batches of 4 and prefetching, in front of
  LiteRT on all cores.
- `torch DataLoader + onnxruntime` has {cores} persistent worker processes that read, decode and resize, and batches of 4;
  the threads of onnxruntime do not spin, because the workers need the cores.
- `OpenVINO` runs the ONNX file for one image at a time: its AsyncInferQueue (THROUGHPUT), fed by one Python thread that
  decodes and resizes; or, arranged like edgeclf, {cores} threads that decode, resize and infer.
- `Ultralytics predict` runs the network from an ONNX file like its own exports, in batches of 32, and with its own
  preprocessing, which uses only the middle of every image.

In separate environments:

{elsewhere}
"""
JOURNALED = (
    "\nIn the journal of `clf-run`, a row costs {append} on one core of {cores} during the run; reading it back afterwards "
    "costs {read_back}.\n"
)
ACCURACY = (
    "\nThe same with a trained model, `{run}`, on the images of `{data}`: as they are, and enlarged by bicubic "
    "interpolation to JPEGs of 12 megapixels. That adds no fine detail. Images from a camera have it, and plain bilinear "
    "turns it into noise.\n\n"
)
NO_ACCURACY = "Accuracy was not measured; name a trained model with --run and labelled images with --data."


@app.command()
def throughput(
    images: Annotated[int, typer.Option(min=1, help="JPEGs of 500 x 375 per round; fewer of the larger ones.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 7,
    run: Annotated[Path | None, typer.Option(help="With --data: a run folder with model.keras and its exports.")] = None,
    data: Annotated[Path | None, typer.Option(help="Images that it has not seen, one folder per class.")] = None,
    environments: Annotated[
        Path | None, typer.Option(help="Folder for the environments of other packages; keeps them for the next run.")
    ] = None,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        if (run is None) != (data is None):
            raise OptionError("--run and --data belong together: a trained model and labelled images to test it on")
        from edgeclf.benchmarks.peers.accuracy import AccuracyTest
        from edgeclf.benchmarks.peers.registry import MOST, OURS, find_peers
        from edgeclf.benchmarks.results import publish_section

        folder = Path(name)
        test = AccuracyTest.open(run, data) if run and data else None  # before the long measurements
        peers, elsewhere = find_peers(environments or folder / "environments")
        facts = {"size": SIZE, "rounds": rounds, "cores": usable_cores(), "most": MOST, "elsewhere": elsewhere}
        text = EXPLAINED.format(**facts) + pipelines(folder, peers, images, rounds)
        if test and run and data:
            text += ACCURACY.format(run=_ending(run), data=_ending(data)) + test.table(OURS | peers, folder)
        else:
            note(NO_ACCURACY)
            text += f"\n{NO_ACCURACY}\n"
        publish_section("Throughput of the pipeline", "edgeclf.benchmarks.throughput", text)
        print_data(text)


def pipelines(folder: Path, peers: "dict[str, Peer]", images: int, rounds: int) -> str:
    """A table for each network and image size; for the small images, also the cost of the journal."""
    from edgeclf.benchmarks.peers.registry import JOURNAL, OURS, limits
    from edgeclf.benchmarks.peers.rounds import measure
    from edgeclf.benchmarks.photographs import write_photographs

    compared = limits() | OURS | peers
    known, text = networks(), ""
    for number, (network, height, width, divisor) in enumerate(WORKLOADS):
        place = folder / f"workload{number}"
        count = -(-images // divisor)
        write_photographs(place / "photographs", count, height, width)
        export_network(known[network], place)
        measured = measure(compared | (JOURNAL if divisor == 1 else {}), place, rounds)
        text += f"\n{network}, {count} generated JPEGs of {width} x {height}:\n\n" + report(measured, list(compared))
        text += journal_cost(measured) if divisor == 1 else ""
    return text


def report(measured: "list[Rates]", names: list[str]) -> str:
    """A Markdown table of median rates, with the ratios of our two pipelines to each."""
    from edgeclf.benchmarks.peers.registry import LITERT, PIPELINE
    from edgeclf.benchmarks.peers.rounds import rate, ratio
    from edgeclf.benchmarks.results import table

    rows = [
        (name, rate(measured, name), *("" if name == ours else ratio(measured, ours, name) for ours in (PIPELINE, LITERT)))
        for name in names
    ]
    return table(("", "images/s", "edgeclf is times as fast", "with LiteRT"), rows)


def journal_cost(measured: "list[Rates]") -> str:
    """A sentence: the cost of a row, as a share of the time that the pipeline takes per image on all cores."""
    from edgeclf.benchmarks.peers.registry import APPEND, PIPELINE, READ_BACK
    from edgeclf.benchmarks.peers.rounds import quartiles

    costs = []
    for name in (APPEND, READ_BACK):
        _, microseconds, _ = quartiles([1e6 / rates[name] for rates in measured])
        lower, share, upper = quartiles([rates[PIPELINE] / rates[name] for rates in measured])
        costs.append(f"{microseconds:.0f} us, {share:.2%} ({lower:.2%} to {upper:.2%}) of the time per image")
    return JOURNALED.format(append=costs[0], read_back=costs[1], cores=usable_cores())


def networks() -> "dict[str, keras.Model]":
    """The network of `clf-train --model cnn`, and a common one for edge devices, untrained: the speed is the same."""
    from edgeclf.train.quiet import import_keras

    import_keras()
    import keras

    from edgeclf.train.networks.architectures import ConvNet

    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    return {
        CNN: ConvNet().build(shape, 2),
        MOBILENET: keras.applications.MobileNetV3Small(input_shape=shape, weights=None, classes=2),
    }


def export_network(network: "keras.Model", folder: Path) -> None:
    """Write the same weights as `model.keras`, `model.onnx` and `model.fp32.tflite`."""
    from edgeclf.export.frozen import freeze
    from edgeclf.export.to_onnx import to_onnx
    from edgeclf.export.to_tflite import to_tflite
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.keras_file.saving import KerasModel

    card = ModelCard(("a", "b"), Preprocess((SIZE, SIZE)), "sigmoid" if network.output_shape[1] == 1 else "softmax")
    network.save(folder / "model.keras")
    frozen = freeze(KerasModel(folder / "model.keras", network, card))
    (folder / "model.onnx").write_bytes(to_onnx(frozen))
    (folder / "model.fp32.tflite").write_bytes(to_tflite(frozen, "fp32"))


def _ending(path: Path) -> str:
    """The last two parts of the path: recognizable, without the folders of this machine."""
    return "/".join(path.absolute().parts[-2:])


if __name__ == "__main__":
    app()
