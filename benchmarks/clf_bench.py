"""`clf-bench`: which of the exported files to ship on this machine, and why."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.errors import GateError, OptionError
from edgeclf.runtime.storage.atomic_write import make_folder
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, show_version

app = command_app()

EPILOG = """\b
Examples:
  clf-bench runs/cells                                every file of an export: how right, how fast, which to ship
  clf-bench model.onnx model.int8.tflite --data test/ --against model.keras
  clf-bench runs/cells --threads 1,2 -b 1,8 -o bench/    the table as JSON, Markdown, a plot and a page
  clf-bench model.onnx --infer-only --device cpu,cuda    the model alone, on both
  clf-bench model.int8.tflite --data test/ --against model.keras --max-drop 0.01 --min-fps 100
  clf-bench model.onnx --baseline bench/bench.json       in CI: has it become slower?

Every file in every arrangement is measured in a process of its own, in rounds in which each has its turn.
Exit codes: 0 all well, 2 error, 3 a gate was missed, 4 device not available."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def bench(
    models: Annotated[
        list[Path],
        typer.Argument(help=".onnx and .tflite files, or folders with them.", metavar="MODEL...", show_default=False),
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled images: a folder or an archive; of its parts, the test part.",
            show_default="the training run's test part, or the samples in a .keras file beside a model",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="The model that is right; a .keras file needs TensorFlow.", show_default="the first model"),
    ] = None,
    batch: Annotated[
        str,
        typer.Option("--batch", "-b", help="Images in one run of the model; auto is what clf-run finds.", metavar="N,..."),
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, ...", metavar="NAME,...")] = "auto",
    threads: Annotated[str, typer.Option(help="Cores to use.", metavar="N,...", show_default="all usable ones")] = "",
    end_to_end: Annotated[
        bool,
        typer.Option(
            "--end-to-end/--infer-only",
            help="From files to answers, as clf-run does it; or the model alone, on images in memory.",
        ),
    ] = True,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of every candidate.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="What a measurement takes in each turn.")] = 2.0,
    limit: Annotated[int, typer.Option(min=1, help="Labelled images at most, spread evenly.", metavar="N")] = 2000,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for bench.json, .md, .html and pareto.png.", show_default="none"),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Everything as JSON on stdout.")] = False,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of the reference's accuracy that may be lost by what is shipped.", show_default="0.01"
        ),
    ] = None,
    min_fps: Annotated[float, typer.Option(min=0, help="Images a second that it must reach.")] = 0.0,
    baseline: Annotated[Path | None, typer.Option(help="An earlier bench.json.", show_default="none")] = None,
    max_regression: Annotated[
        str | None,
        typer.Option(help="How much slower than in the baseline anything may be.", metavar="P%", show_default="10%"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Measure exported models on this machine: accuracy, speed, memory, start-up; and say which one to ship."""
    with friendly_errors():
        from edgeclf.benchmarks.bench import run
        from edgeclf.benchmarks.bench.recommendation import Gates
        from edgeclf.benchmarks.bench.table import show

        options = run.Options(
            models=tuple(models),
            data=data,
            against=against,
            batches=_batches(batch),
            devices=tuple(dict.fromkeys(name.strip() for name in device.split(","))),
            threads=_numbers("--threads", threads) if threads else (),
            end_to_end=end_to_end,
            rounds=rounds,
            seconds=seconds,
            limit=limit,
            gates=Gates(max_drop, min_fps),
            baseline=baseline,
            max_regression=_share("--max-regression", max_regression or "10%"),
        )
        if max_regression and not baseline:
            raise OptionError("--max-regression compares with an earlier run; name its bench.json with --baseline")
        if output:
            make_folder(output)  # what cannot be written is better known before
        report = run.bench(options)
        show(report)
        if json_output:
            typer.echo(json.dumps(report.to_json(), indent=1))
        elif report.ship is not None:
            typer.echo(report.rows[report.ship].path)
        if output:
            from edgeclf.benchmarks.bench.output_files import write

            for path in write(report, output, shlex.join(["clf-bench", *sys.argv[1:]])):
                note(str(path))
        if report.misses:
            several = f"{len(report.misses)} gates are missed; they are listed above"
            raise GateError(report.misses[0] if len(report.misses) == 1 else several)


def _batches(text: str) -> tuple[int | None, ...]:
    """`"auto,1,8"`, where auto is None. Raises OptionError."""
    names = [name.strip() for name in text.split(",")]
    numbers = ",".join(name for name in names if name != "auto")
    found = _numbers("--batch", numbers) if numbers or "auto" not in names else ()
    return (*([None] if "auto" in names else []), *found)


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    """`"1,8,32"`. Raises OptionError."""
    parts = [part.strip() for part in text.split(",")]
    numbers = tuple(int(part) for part in parts if part.isascii() and part.isdigit())
    if len(numbers) != len(parts) or min(numbers) < 1:
        raise OptionError(f"{flag} takes whole numbers from 1 on, with commas between, not {text!r}")
    return tuple(dict.fromkeys(numbers))


def _share(flag: str, text: str) -> float:
    """`"10%"` to 0.1. Raises OptionError."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else -1.0
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise OptionError(f"{flag} takes a percentage such as 10%, not {text!r}")
    return share


if __name__ == "__main__":
    main()
