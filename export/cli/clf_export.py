"""`clf-export`: a trained model becomes files for the edge, each proven on real images before it gets its name."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.export.cli.check import check
from edgeclf.runtime.errors import GateError, OptionError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, parse_size, show_version

if TYPE_CHECKING:
    from edgeclf.export.external_model import ExternalModel

app = command_app(default="export")
app.command("check")(check)

EPILOG = """\b
Examples:
  clf-export runs/cells/model.keras                   model.onnx and model.int8.tflite beside it
  clf-export model.keras --quantize fp32,fp16,int8    these three, in ONNX and in TFLite
  clf-export model.keras --all -o edge/               every format in every precision
  clf-export mine.keras --classes labels.txt --scale 1/255 --data photos/    a model from elsewhere
  clf-export check edge/model.int8.tflite --against edge/model.onnx --data photos/    again, on the device

Nothing is published unless all of it passes; with --all, what misses is left out.
Exit codes: 0 all well, 2 error, 3 the gate was missed."""


def main() -> None:
    app()


@app.command(epilog=EPILOG)
def export(
    model: Annotated[Path, typer.Argument(help="The model.keras of a training run, or a Keras model from elsewhere.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default beside the model.", show_default=False)
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="onnx, tflite or both.", show_default="onnx,tflite")] = "",
    quantize: Annotated[
        str,
        typer.Option(help="fp32, fp16, int8; for TFLite also dynamic, int16x8.", show_default="ONNX fp32, TFLite int8"),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every format in every precision.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled images to calibrate and verify with, in place of the training run's own."),
    ] = None,
    atol: Annotated[float, typer.Option(min=0, help="Largest difference of a probability in fp32.")] = 1e-4,
    max_drop: Annotated[float, typer.Option(min=0, max=1, help="Share of the Keras accuracy that may be lost.")] = 0.01,
    opset: Annotated[int, typer.Option(help="ONNX operator set, 13 to 18; lower ones suit older runtimes.")] = 17,
    classes: Annotated[
        Path | None, typer.Option(help="For a model from elsewhere: its labels, one a line, or a JSON list.")
    ] = None,
    scale: Annotated[
        str, typer.Option(help="... what it wants levels 0..255 turned into: 1/255, -1..1, none, imagenet, caffe.")
    ] = "none",
    resize: Annotated[
        str, typer.Option(help="... how images were resized: bilinear, nearest, area or shrink.")
    ] = "bilinear",
    fit: Annotated[str, typer.Option(help="... how they were fitted: stretch, crop, pad.")] = "stretch",
    head: Annotated[str, typer.Option(help="... what it ends in: auto, softmax, sigmoid, logits.")] = "auto",
    imgsz: Annotated[
        str | None, typer.Option(help="... the size of its images, N or WIDTHxHEIGHT, if it takes any.")
    ] = None,
    allow_h5: Annotated[bool, typer.Option("--allow-h5", help="... it may be a file of the older .h5 format.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="The parity report as JSON on stdout.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Export a trained model to ONNX and TFLite, and publish only what answers as the original does."""
    with friendly_errors():
        if everything and (format_ or quantize):
            raise OptionError("--all means every format and precision; leave out --format and --quantize, or --all")
        note("loading TensorFlow ...")
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        from edgeclf.export.parity import GateLimits
        from edgeclf.export.run import export as run_export
        from edgeclf.export.table import show
        from edgeclf.export.targets import TARGETS, choose_targets

        targets = TARGETS if everything else choose_targets(_names(format_), _names(quantize))
        external = _foreign(classes, scale, resize, fit, head, imgsz, allow_h5)
        limits = GateLimits(atol=atol, max_drop=max_drop)
        result = run_export(
            model, output or model.parent, targets, limits, data, external=external, opset=opset, leave_out=everything
        )
        show(result.parities, "Keras", result.evidence.origin, limits, result.ship, result.trade_offs)
        if json_output:
            typer.echo(json.dumps([parity.to_json() for parity in result.parities]))
        if not json_output and result.published:
            typer.echo("\n".join(map(str, result.published)))
        if result.missed and result.published:
            raise GateError(f"left out, because they missed the gate: {', '.join(result.missed)}; the others are published")
        if result.missed:
            raise GateError(f"{model} was not exported: the table shows what missed; nothing was published")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _foreign(
    classes: Path | None, scale: str, resize: str, fit: str, head: str, imgsz: str | None, allow_h5: bool
) -> "ExternalModel | None":
    """What the flags say of a model without a card, or None without --classes. Raises OptionError."""
    from edgeclf.export.external_model import ExternalModel
    from edgeclf.runtime.model.labels import read_classes

    size_hw = parse_size(imgsz) if imgsz else None
    if classes is None:
        if (scale, resize, fit, head, size_hw, allow_h5) != ("none", "bilinear", "stretch", "auto", None, False):
            given = "--scale, --resize, --fit, --head, --imgsz and --allow-h5"
            raise OptionError(f"{given} describe a model from elsewhere; give its labels with --classes as well")
        return None
    return ExternalModel(read_classes(classes), resize, fit, scale, head, size_hw, allow_h5)  # type: ignore[arg-type]
