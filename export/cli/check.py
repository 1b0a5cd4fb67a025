"""`clf-export check`: whether one artefact still answers as another, on this machine; only the runtime is needed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.errors import GateError
from edgeclf.runtime.terminal.console import friendly_errors, note


def check(
    artifacts: Annotated[list[Path], typer.Argument(help="The .onnx and .tflite files to check.", metavar="A")],
    *,
    against: Annotated[Path, typer.Option(help="B: the file that is right; a .keras file needs TensorFlow.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled images, or a .keras file with samples inside.", show_default="those inside B"),
    ] = None,
    atol: Annotated[
        float | None, typer.Option(min=0, help="Largest difference of a probability; for fp32 files.", show_default="any")
    ] = None,
    max_drop: Annotated[float, typer.Option(min=0, max=1, help="Share of B's accuracy that may be lost.")] = 0.01,
    json_output: Annotated[bool, typer.Option("--json", help="The comparison as JSON on stdout.")] = False,
) -> None:
    """Check that A answers as B does on real images; exit 3 where it does not.

    Copy both files to the device, with some images, and repeat there what the export proved on another machine.
    """
    with friendly_errors():
        from edgeclf.export import parity
        from edgeclf.export.calibration import read_images
        from edgeclf.export.table import show
        from edgeclf.train.answering import open_any

        reference = open_any(against)
        images = read_images(data or against, reference.card)
        note(f"comparing on {len(images):,} images ...")
        expected = reference.answers(images.images)
        limits = parity.GateLimits(max_drop=max_drop) if atol is None else parity.GateLimits(atol=atol, max_drop=max_drop)
        precision = "reduced" if atol is None else "fp32"
        parities = [parity.check(path, path.name, precision, images, expected, limits, against.name) for path in artifacts]
        show(parities, against.name, str(data or against), limits)
        if json_output:
            typer.echo(json.dumps([one.to_json() for one in parities]))
        if missed := [one.name for one in parities if one.misses]:
            raise GateError(f"{', '.join(missed)} does not answer as {against}: the table shows what missed")
