"""`clf-export`: converts a trained model to files for edge devices, and verifies them on real images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.export.cli.check import EPILOG as CHECK_EPILOG
from edgeclf.export.cli.check import check
from edgeclf.export.options import ExportOptions, TargetOptions
from edgeclf.export.start import left_out, raise_if_failed, remember_choice, start_export
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.terminal.console import command_app, note, print_data, show_version
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.next_step import show_next

if TYPE_CHECKING:
    from edgeclf.export.gate import Export

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
    from edgeclf.runtime.model.run_folder import trained_in_run

    model = trained_in_run(model)
    result = start_export(model, targets, options, output)
    show(result)
    if json_output:
        print_data(json.dumps([parity.to_json() for parity in result.parities]))
    elif result.published:
        print_data("\n".join(map(str, result.published)))
    if result.published:
        _recommend(result, model, options)
    _raise_if_failed(result, model, targets)


def _recommend(result: "Export", model: Path, options: ExportOptions) -> None:
    """Remember which file to ship, and show the command that comes next."""
    from edgeclf.train.data.run_images import images_to_try

    remember_choice(result)
    if len(result.published) == 1:
        show_next("clf-run", result.published[0], options.data or images_to_try(model.parent))
    else:
        labelled = ("--data", options.data) if options.data and result.parities[0].is_labelled else ()
        show_next("clf-bench", result.published[0].parent, *labelled)


def _raise_if_failed(result: "Export", model: Path, targets: TargetOptions) -> None:
    """Raise GateError if a file failed that was asked for."""
    raise_if_failed(result, model)
    if result.failed:
        if targets.everything:
            raise GateError(left_out(result))
        note(f"warning: {left_out(result)}")
