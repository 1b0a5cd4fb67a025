"""Do exported models answer as the Keras model does, on every image of a labelled folder?

`python -m edgeclf.benchmarks.parity runs/cells/model.keras runs/cells/model.onnx ... --data cells/test`
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, note

app = command_app()


@app.command()
def parity(
    reference: Annotated[Path, typer.Argument(help="The model.keras.")],
    artifacts: Annotated[list[Path], typer.Argument(help="Files exported from it.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder per class; all of it is used.")],
) -> None:
    """Compare exported models with the Keras model over a labelled folder; JSON on stdout."""
    with friendly_errors():
        note("loading TensorFlow ...")
        from edgeclf.train.quiet import quiet_tensorflow

        quiet_tensorflow()
        typer.echo(json.dumps(compare(reference, artifacts, data), indent=1))


def compare(reference: Path, artifacts: list[Path], data: Path) -> list[dict[str, object]]:
    """For each artefact, what the export gate measures, here on images of the caller's choice."""
    from edgeclf.export.calibration import read_images
    from edgeclf.export.parity import GateLimits, check
    from edgeclf.export.targets import TARGETS
    from edgeclf.train.keras_file.saving import open_keras

    model = open_keras(reference)
    images = read_images(data, model.card)
    answers = model.answers(images.images)
    precisions = {reference.stem + target.suffix: target.precision for target in TARGETS}
    return [
        check(path, path.name, precisions.get(path.name, "unknown"), images, answers, GateLimits()).to_json()
        for path in artifacts
    ]


if __name__ == "__main__":
    app()
