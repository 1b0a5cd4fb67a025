"""`clf-bench`: measure exported models on this machine, and recommend one of them."""

import json
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.benchmarks.bench.options import Options
from edgeclf.runtime.cli.model_flags import CardFlags
from edgeclf.runtime.errors import GateError
from edgeclf.runtime.terminal.console import command_app, note, print_data, show_version
from edgeclf.runtime.terminal.flags import takes
from edgeclf.runtime.terminal.next_step import show_next
from edgeclf.runtime.terminal.plural import plural

if TYPE_CHECKING:
    from edgeclf.benchmarks.bench.report import BenchResult, Report

app = command_app()

EPILOG = """\b
Examples:
  clf-bench runs/cells                                   every file: accuracy, speed, which to ship
  clf-bench model.onnx model.int8.tflite --data test/ --against model.keras
  clf-bench runs/cells --threads 1,2 -b 1,8 -o bench/    the results as JSON, Markdown, a plot and a web page
  clf-bench model.onnx --infer-only --device cpu,cuda    only the model, on both devices
  clf-bench model.int8.tflite --data test/ --against model.keras --max-drop 0.01 --min-fps 100
  clf-bench model.onnx --baseline bench/bench.json       in CI: has it become slower?

Every combination of model, device, batch size and threads is measured once per round, each time in a new process.

Exit codes: 0 success, 2 error, 3 a gate was missed, 4 device not available."""


@dataclass(frozen=True)
class Outputs:
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write bench.json, bench.md, bench.html and pareto.png to this folder.",
            metavar="DIR",
            show_default="none",
            rich_help_panel="Output",
        ),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the report to stdout as JSON.", rich_help_panel="Output")
    ] = False


def main() -> None:
    app()


COMMON = "--data --against --device --batch --threads --end-to-end --max-drop --min-fps --baseline --output --json"


@app.command(epilog=EPILOG, common=COMMON)
@takes(options=Options, described=CardFlags, outputs=Outputs)
def bench(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
    options: Options,
    described: CardFlags,
    outputs: Outputs,
) -> None:
    """Measure exported models on this machine (accuracy, speed, memory, start-up) and recommend the one to ship."""
    from edgeclf.benchmarks.bench.run import bench
    from edgeclf.benchmarks.bench.table import show
    from edgeclf.runtime.model.run_folder import trained_in_run

    if outputs.folder:
        from edgeclf.benchmarks.bench.output_files import check_folder

        check_folder(outputs.folder)  # fail before the measurements, not after them
    if options.against:
        options = replace(options, against=trained_in_run(options.against))
    report = bench(options, described.read(replaces_card=False))
    show(report)
    _write(report, outputs)
    if report.ship is not None and not report.misses:
        _recommend(report, report.results[report.ship], options, described)
    if report.misses:
        raise GateError(
            report.misses[0] if len(report.misses) == 1 else f"{plural(len(report.misses), 'gate')} missed; see above"
        )


def _recommend(report: "Report", best: "BenchResult", options: Options, described: CardFlags) -> None:
    """Remember the file to ship, if it was compared within its own folder, and show the command that comes next."""
    from edgeclf.runtime.model.run_folder import remember
    from edgeclf.train.data.run_images import images_to_try

    model = Path(best.path)
    measured = {Path(result.path) for result in report.results}
    if not described.as_arguments() and {path.parent for path in measured} == {model.parent}:
        remember(model, "clf-bench", compared=len(measured))
    device = () if options.devices == ("auto",) else ("--device", best.device)
    show_next("clf-run", model, options.data or images_to_try(model.parent), *device, *described.as_arguments())


def _write(report: "Report", outputs: Outputs) -> None:
    """Write the report, or the path of the recommended model, to stdout; and the files that were asked for."""
    if outputs.as_json:
        print_data(json.dumps(report.to_json(), indent=1))
    elif report.ship is not None:
        print_data(report.results[report.ship].path)
    if outputs.folder:
        from edgeclf.benchmarks.bench.output_files import write_outputs

        for path in write_outputs(report, outputs.folder, shlex.join(["clf-bench", *sys.argv[1:]])):
            note(str(path))


if __name__ == "__main__":
    main()
