"""`clf-export`: a trained model becomes files for the edge, each proven on real pictures before it gets its name."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.console import command_app, friendly_errors, note, show_version, stderr_console
from edgeclf.runtime.errors import GateError

if TYPE_CHECKING:
    from edgeclf.export.run import Export

app = command_app()

EPILOG = """\b
Examples:
  clf-export runs/cells/model.keras                   model.onnx and model.int8.tflite beside it
  clf-export model.keras --quantize fp32,fp16,int8    ONNX fp32, and TFLite in all three
  clf-export model.keras --format onnx -o edge/ --data photos/

Nothing is published unless all of it passes. Exit codes: 0 all well, 2 error, 3 the gate was missed."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def export(
    model: Annotated[Path, typer.Argument(help="The model.keras of a training run.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default beside the model.", show_default=False)
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="onnx, tflite or both.", show_default="onnx,tflite")] = "",
    quantize: Annotated[
        str, typer.Option(help="fp32 (ONNX, TFLite); fp16, dynamic, int8 (TFLite).", show_default="ONNX fp32, TFLite int8")
    ] = "",
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled folder to calibrate and verify with, in place of the training run's own pictures."),
    ] = None,
    atol: Annotated[float, typer.Option(min=0, help="Largest difference of a probability in fp32.")] = 1e-4,
    max_drop: Annotated[float, typer.Option(min=0, max=1, help="Share of the Keras accuracy that may be lost.")] = 0.01,
    json_output: Annotated[bool, typer.Option("--json", help="The parity report as JSON on stdout.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Export a trained model to ONNX and TFLite, and publish only what answers as the original does."""
    with friendly_errors():
        note("loading TensorFlow ...")
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.export.parity import Limits
        from edgeclf.export.run import choose_targets
        from edgeclf.export.run import export as run_export

        targets = choose_targets(_names(format_), _names(quantize))
        result = run_export(model, output or model.parent, targets, Limits(atol=atol, max_drop=max_drop), data)
        _show(result, max_drop)
        if json_output:
            typer.echo(json.dumps([parity.to_json() for parity in result.parities]))
        if not result.passed:
            raise GateError(f"{model} was not exported: the table shows what missed; nothing was published")
        if not json_output:
            typer.echo("\n".join(map(str, result.published)))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _show(result: "Export", max_drop: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from edgeclf.runtime.escaping import escape
    from edgeclf.train.results.intervals import wilson_interval

    pictures = result.parities[0].pictures
    table = Table(box=None, pad_edge=False)
    for column in ("file", "size", "accuracy", "same answer", "max difference", "gate"):
        table.add_column(column, justify="left" if column in ("file", "gate") else "right")
    table.add_row("Keras", "", f"{result.parities[0].keras_correct / pictures:.2%}", "", "", "")
    for parity in result.parities:
        verdict = Text("missed", "red") if parity.misses else Text("passed")
        table.add_row(
            Text(escape(parity.name)),
            f"{parity.size_bytes / 1e6:.2f} MB",
            f"{parity.accuracy:.2%}",
            f"{parity.agreement:.2%}",
            f"{parity.max_difference:.1e}",
            verdict,
        )
    stderr_console().print(table)
    low, high = wilson_interval(result.parities[0].keras_correct, pictures)
    note(f"verified on {pictures:,} pictures ({result.evidence.origin})")
    note(f"95 % interval of the Keras accuracy: {low:.1%} to {high:.1%}")
    if max_drop * result.parities[0].keras_correct < 1:
        note(f"that is too few to see a loss of {max_drop:.1%}: one picture is {1 / pictures:.1%}; more with --data DIR")
    for parity in result.parities:
        for miss in parity.misses:
            note(f"missed: {parity.name}: {miss}")
