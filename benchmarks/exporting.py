"""How long an export takes and how accurate its files are: a default export of a small CNN, and `--all` for your models.

`python -m edgeclf.benchmarks.exporting runs/photos/model.keras`
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.errors import ExitCode, ModelError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

app = command_app()


@app.command()
def exporting(
    models: Annotated[list[Path] | None, typer.Argument(help="Trained model.keras files.", show_default="none")] = None,
    rounds: Annotated[int, typer.Option(help="Exports of the small CNN.")] = 3,
    qat: Annotated[bool, typer.Option("--qat", help="Also train INT8 files; the runs' images must still exist.")] = False,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors():
        from edgeclf.benchmarks.results import publish_section

        ways = (("--all",), ("--qat", "--quantize", "int8")) if qat else (("--all",),)
        text = small_network(rounds) + "".join(whole_export(model, *way) for model in models or [] for way in ways)
        publish_section("Exports", "edgeclf.benchmarks.exporting", text)
        print_data(text)


def small_network(rounds: int) -> str:
    """A sentence about the wall-clock time of a default export of `clf-train --model cnn`."""
    with tempfile.TemporaryDirectory() as name:
        model = _untrained(Path(name))
        seconds = sorted(_export(model)[0] for _ in range(rounds))
    spread = f"{seconds[0]:.1f} to {seconds[-1]:.1f} s"
    return (
        f"The default export of `clf-train`'s small CNN (128 x 128, two classes): {statistics.median(seconds):.1f} s "
        f"({spread} in {rounds} runs), from the command line, including TensorFlow's import.\n\n"
    )


def whole_export(model: Path, *options: str) -> str:
    """A table of the files that an export with these options makes of one model."""
    from edgeclf.benchmarks.results import table

    note(f"exporting {model} ...")
    seconds, artifacts = _export(model, *options)
    keras = artifacts[0]["reference_accuracy"]
    rows = [
        (
            item["file"],
            f"{item['accuracy']:.2%}",
            f"{item['accuracy'] / keras:.2%}",
            f"{item['agreement']:.2%}",
            f"{item['milliseconds']} ms" if item["milliseconds"] else "",
            "passed" if item["passed"] else "missed",
            f"{item['made_by']}, attempt {item['attempts']}" if item["made_by"] else "",
        )
        for item in artifacts
    ]
    columns = ("file", "accuracy", "of Keras's", "same label", "per image", "gate", "quantised by")
    network, data = _facts(model)
    return (
        f"{network} trained on {data}: Keras {keras:.2%} of {artifacts[0]['images']} validation images; "
        f"`clf-export {' '.join(options)}` took {seconds:.0f} s.\n\n" + table(columns, rows) + "\n"
    )


def _facts(model: Path) -> tuple[str, str]:
    from edgeclf.runtime.model.card import ModelCard, read_zip_card

    training = ModelCard.from_json(read_zip_card(model) or "").training
    return training.get("network", {}).get("name", "A network"), training.get("data", "images")


def _untrained(folder: Path) -> Path:
    """An untrained model with noise as samples; its export takes as long as a trained one's."""
    import numpy as np

    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.train.quiet import import_keras

    import_keras()
    from edgeclf.train.data.arrays import Arrays
    from edgeclf.train.keras_file.saving import save
    from edgeclf.train.networks.architectures import ConvNet

    images = np.random.default_rng(0).integers(0, 256, (80, 128, 128, 3), dtype=np.uint8)
    samples = {
        name: Arrays(images[start::2], np.arange(40) % 2) for start, name in enumerate(("calibration", "verification"))
    }
    card = ModelCard(("a", "b"), Preprocess((128, 128)), "sigmoid")
    save(ConvNet().build((128, 128, 3), 2), card, samples, folder / "m.keras")
    return folder / "m.keras"


def _export(model: Path, *options: str) -> tuple[float, list[dict[str, Any]]]:
    """Run the real command. Returns its seconds and its parity report."""
    with tempfile.TemporaryDirectory() as folder:
        line = [str(Path(sys.executable).with_name("clf-export")), str(model), "-o", folder, "--json", *options]
        started = time.perf_counter()
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    if done.returncode not in (ExitCode.OK, ExitCode.GATE_MISSED):
        raise ModelError(f"{model} cannot be exported ({done.stderr.strip().splitlines()[-1]})")
    return seconds, json.loads(done.stdout)


if __name__ == "__main__":
    app()
