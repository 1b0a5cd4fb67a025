"""`clf-export check`: compares exported files with a reference model on this machine. The runtime is enough."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.export.options import CheckOptions
from edgeclf.runtime.cli.model_flags import CardFlags
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.terminal.console import print_data
from edgeclf.runtime.terminal.flags import takes

EPILOG = """\b
Examples:
  clf-export check edge/model.int8.tflite --against edge/model.onnx --data photos/
  clf-export check edge/*.onnx edge/*.tflite --against model.keras"""


@takes(options=CheckOptions, described=CardFlags)
def check(
    artifacts: Annotated[list[Path], typer.Argument(help="The .onnx and .tflite files to check.", metavar="A")],
    *,
    options: CheckOptions,
    described: CardFlags,
    json_output: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON to stdout.")] = False,
) -> None:
    """Check on real images that A predicts like B; exit 3 if it does not.

    Copy both files and some images to the device, and repeat the test of the export there.
    """
    from edgeclf.export.comparison import compare
    from edgeclf.export.table import show
    from edgeclf.runtime.model.run_folder import model_in_run, trained_in_run

    options = replace(options, against=trained_in_run(options.against))
    report = compare([model_in_run(path) for path in artifacts], options, described.read(replaces_card=False))
    show(report)
    if json_output:
        print_data(json.dumps([parity.to_json() for parity in report.parities]))
    if report.failed:
        raise GateError(f"{', '.join(report.failed)} does not predict like {options.against}; see the table")
