"""`clf-inspect`: shows a model file, or the software and devices of this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.errors import ExitCode
from edgeclf.runtime.terminal.console import command_app, fail, friendly_errors, print_data, show_version

app = command_app()

EPILOG = """\b
Examples:
  clf-inspect model.onnx          its card, contract, digests, parity, contents
  clf-inspect model.keras --json  the same, for a program
  clf-inspect runs/               the training runs in a folder, side by side
  clf-inspect                     this machine: engines that start, packages, conflicts, cameras

Only reads. Exit codes: 0 all well, 2 the file is damaged or is not a model."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def inspect(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A .keras, .onnx or .tflite file, or a folder of training runs. Default: this machine.",
            metavar="MODEL",
            show_default=False,
        ),
    ] = None,
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Show what a model file contains and whether it is intact; without a file, show what this machine offers edgeclf."""
    with friendly_errors():
        if model is None:
            _show_environment(json_output)
        elif not _show_runs(model, json_output):
            _show_model(model, json_output)


def _show_environment(json_output: bool) -> None:
    from edgeclf.runtime.inspection.environment import inspect_environment
    from edgeclf.runtime.inspection.environment_report import environment_sections
    from edgeclf.runtime.inspection.report import print_sections

    found = inspect_environment()
    if json_output:
        print_data(json.dumps(asdict(found), indent=1))
        return
    print_sections(environment_sections(found))


def _show_runs(folder: Path, json_output: bool) -> bool:
    """Show the training runs in a folder. Returns whether there are any."""
    from edgeclf.runtime.inspection.runs import COLUMNS, find_runs, run_row
    from edgeclf.runtime.terminal.tables import show_table

    runs = find_runs(folder)
    if json_output and runs:
        print_data(json.dumps([asdict(run) for run in runs], indent=1))
    elif runs:
        show_table(COLUMNS, [run_row(run) for run in runs], stdout=True)
    return bool(runs)


def _show_model(model: Path, json_output: bool) -> None:
    from edgeclf.runtime.inspection.model_info import inspect_model
    from edgeclf.runtime.inspection.model_report import model_sections
    from edgeclf.runtime.inspection.report import print_sections
    from edgeclf.runtime.model.run_folder import model_in_run

    info = inspect_model(model_in_run(model))
    if json_output:
        print_data(json.dumps(info.to_json(), indent=1))
    else:
        print_sections(model_sections(info))
    if info.problem:
        fail(info.problem, ExitCode.FAILED)
