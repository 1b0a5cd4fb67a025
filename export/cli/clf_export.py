"""`clf-export`: converts a trained model to files for edge devices, and verifies them on real images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.export.cli.check import EPILOG as CHECK_EPILOG
from edgeclf.export.cli.check import check
from edgeclf.export.options import ExportOptions, TargetOptions
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.terminal.console import command_app, note, print_data, show_version
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.next_step import show_next

if TYPE_CHECKING:
    from edgeclf.export.gate import Export
    from edgeclf.runtime.model.conventions.package import ModelPackage

app = command_app(default="export")
app.command("check", epilog=CHECK_EPILOG)(check)

EPILOG = """\b
Examples:
  clf-export runs/cells                               model.onnx and model.int8.tflite in it
  clf-export model.keras --quantize fp32,fp16,int8    these three, in ONNX and in TFLite
  clf-export model.keras --all -o edge/               every format in every precision
  clf-export mine.keras --classes labels.txt --scale 1/255 --data photos/    a Keras model without a card
  clf-export net.onnx --data photos/                  a model from another tool, which says the rest itself
  clf-export net.onnx --from torchvision --classes labels.txt --data photos/    or is described here
  clf-export check edge/model.int8.tflite --against edge/model.onnx --data photos/    verify again, on the device

Files are published only if all of them pass; with --all, those that fail are left out.
Exit codes: 0 success, 2 error, 3 a file failed the gate."""


def main() -> None:
    app()


COMMON = "--data --max-drop --classes --from --imgsz --format --quantize --all --output --json"


@app.command(epilog=EPILOG, common=COMMON)
@takes(targets=TargetOptions, options=ExportOptions)
def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="A training run or its model.keras, or a model from another tool: a file, a folder or an archive."
        ),
    ],
    *,
    targets: TargetOptions,
    options: ExportOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output folder.", show_default="beside the model")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the parity report as JSON to stdout.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Export a trained model to ONNX and TFLite, or adopt one from another tool, and publish what predicts alike."""
    from edgeclf.export.table import show
    from edgeclf.runtime.model.conventions.package import find_model
    from edgeclf.runtime.model.formats import is_runnable
    from edgeclf.runtime.model.run_folder import trained_in_run

    model = trained_in_run(model)
    folder = output or model.absolute().parent if model.is_dir() else output or model.parent
    with find_model(model) as package:
        if is_runnable(package.path):
            from edgeclf.export.adopt import adopt_model

            result = adopt_model(package, model, folder, targets, options)
        else:
            result = _export_keras(package, model, folder, targets, options)
    show(result)
    if json_output:
        print_data(json.dumps([parity.to_json() for parity in result.parities]))
    elif result.published:
        print_data("\n".join(map(str, result.published)))
    if result.published:
        _recommend(result, model, options)
    _raise_if_failed(result, model, targets)


def _export_keras(
    package: "ModelPackage", named: Path, folder: Path, targets: TargetOptions, options: ExportOptions
) -> "Export":
    from edgeclf.export.preparation import check_export
    from edgeclf.export.targets import choose_targets
    from edgeclf.runtime.model.card import has_keras_card
    from edgeclf.runtime.model.conventions.package import package_name
    from edgeclf.train.quiet import check_installed, load_keras

    name = package_name(named)
    chosen = choose_targets(targets, is_external=not has_keras_card(package.path))
    check_export(package.path, folder, name, chosen, options)
    check_installed()
    load_keras()
    from edgeclf.export.run import export as export_model

    return export_model(package.path, folder, chosen, options, name=name)


def _recommend(result: "Export", model: Path, options: ExportOptions) -> None:
    """Remember which file to ship, and show the command that comes next."""
    from edgeclf.runtime.model.run_folder import remember
    from edgeclf.train.data.run_images import images_to_try

    folder = result.published[0].parent
    remember(folder / result.ship, "clf-export", compared=len(result.published))
    if len(result.published) == 1:
        show_next("clf-run", result.published[0], options.data or images_to_try(model.parent))
    else:
        labelled = ("--data", options.data) if options.data and result.parities[0].is_labelled else ()
        show_next("clf-bench", folder, *labelled)


def _raise_if_failed(result: "Export", model: Path, targets: TargetOptions) -> None:
    """Raise GateError if a file failed that was asked for."""
    if result.failed and result.published:
        outcome = f"{', '.join(result.failed)} failed the gate and was left out; the other files are published"
        if targets.everything:
            raise GateError(outcome)
        note(f"warning: {outcome}")
        return
    if result.failed:
        raise GateError(f"{model} was not exported, because {', '.join(result.failed)} failed the gate; see the table")
