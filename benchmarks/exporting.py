"""How long an export takes and how accurate its files are: of a small CNN, and of your models by default and with `--all`.

`python -m edgeclf.benchmarks.exporting runs/photos/model.keras --against ../older/.venv/bin/clf-export`
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from edgeclf.benchmarks.stage_times import cpu_seconds_of_children
from edgeclf.runtime.errors import ExitCode, ModelError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

app = command_app()
_THIS = Path(sys.executable).with_name("clf-export")


@app.command()
def exporting(
    models: Annotated[list[Path] | None, typer.Argument(help="Trained model.keras files.", show_default="none")] = None,
    rounds: Annotated[int, typer.Option(help="Exports of each model by default.")] = 3,
    against: Annotated[
        Path | None, typer.Option(help="The clf-export of another version, measured in turns with this one.")
    ] = None,
    qat: Annotated[bool, typer.Option("--qat", help="Also train INT8 files; the runs' images must still exist.")] = False,
) -> None:
    """Measure, print the tables, and write them to benchmarks/results.md."""
    with friendly_errors():
        from edgeclf.benchmarks.results import publish_section

        tools = {"this version": _THIS} | ({str(against): against} if against else {})
        ways = (("--all",), ("--qat", "--quantize", "int8")) if qat else (("--all",),)
        text = small_network(rounds)
        for model in models or []:
            text += default_export(model, tools, rounds) + "".join(whole_export(model, *way) for way in ways)
        publish_section("Exports", "edgeclf.benchmarks.exporting", text)
        print_data(text)


def small_network(rounds: int) -> str:
    """A sentence about the wall-clock time of a default export of `clf-train --model cnn`."""
    with tempfile.TemporaryDirectory() as name:
        model = _untrained(Path(name))
        seconds = sorted(_export(model).seconds for _ in range(rounds))
    spread = f"{seconds[0]:.1f} to {seconds[-1]:.1f} s"
    return (
        f"The default export of `clf-train`'s small CNN (128 x 128, two classes): {statistics.median(seconds):.1f} s "
        f"({spread} in {rounds} runs), from the command line, including TensorFlow's import.\n\n"
    )


def default_export(model: Path, tools: Mapping[str, Path], rounds: int) -> str:
    """A table of the time that each version needs for the default files; the versions take turns."""
    from edgeclf.benchmarks.results import table

    taken: dict[str, list[_Exported]] = {name: [] for name in tools}
    for number in range(rounds):
        for name, tool in tools.items():
            note(f"exporting {model} with {name}, {number + 1} of {rounds} ...")
            taken[name].append(_export(model, tool=tool))
    rows = [
        (
            name,
            _median_and_ends([one.seconds for one in runs]),
            _median_and_ends([one.cpu_seconds for one in runs]),
            ", ".join(f"{item['file']} {'passed' if item['passed'] else 'missed'}" for item in runs[0].artifacts),
            ", ".join(str(item["attempts"]) for item in runs[0].artifacts),
        )
        for name, runs in taken.items()
    ]
    columns = ("version", "seconds", "seconds of all cores", "files", "attempts")
    return f"The default export of {_facts(model)[0]}:\n\n" + table(columns, rows) + "\n"


def _median_and_ends(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def whole_export(model: Path, *options: str) -> str:
    """A table of the files that an export with these options makes of one model."""
    from edgeclf.benchmarks.results import table

    note(f"exporting {model} ...")
    done = _export(model, *options)
    artifacts = done.artifacts
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
        f"`clf-export {' '.join(options)}` took {done.seconds:.0f} s, and {done.cpu_seconds:.0f} s of all cores.\n\n"
        + table(columns, rows)
        + "\n"
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


class _Exported(NamedTuple):
    """seconds: by the clock. cpu_seconds: of all cores. artifacts: the parity report."""

    seconds: float
    cpu_seconds: float
    artifacts: list[dict[str, Any]]


def _export(model: Path, *options: str, tool: Path = _THIS) -> _Exported:
    """Run the real command."""
    with tempfile.TemporaryDirectory() as folder:
        line = [str(tool), str(model), "-o", folder, "--json", *options]
        started, used = time.perf_counter(), cpu_seconds_of_children()
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        seconds, cpu_seconds = time.perf_counter() - started, cpu_seconds_of_children() - used
    if done.returncode not in (ExitCode.OK, ExitCode.GATE_MISSED):
        raise ModelError(f"{model} cannot be exported ({done.stderr.strip().splitlines()[-1]})")
    return _Exported(seconds, cpu_seconds, json.loads(done.stdout))


if __name__ == "__main__":
    app()
