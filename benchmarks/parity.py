"""Do exported models predict the same as the Keras model, on every image of a labelled folder?

`python -m edgeclf.benchmarks.parity runs/cells/model.keras runs/cells/model.onnx ... --data cells/test`
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data

app = command_app()


@app.command()
def parity(
    reference: Annotated[Path, typer.Argument(help="The model.keras.")],
    artifacts: Annotated[list[Path], typer.Argument(help="Models exported from it.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder with one sub-folder per class; all of its images are used.")],
) -> None:
    """Compare exported models with the Keras model; writes JSON to stdout."""
    with friendly_errors():
        from edgeclf.train.quiet import load_keras

        load_keras()
        print_data(json.dumps(compare(reference, artifacts, data), indent=1))


def compare(reference: Path, artifacts: list[Path], data: Path) -> list[dict[str, object]]:
    """The measurements of the export gate for each exported model, on the images of `data`."""
    from edgeclf.export.calibration import read_images
    from edgeclf.export.options import GateLimits
    from edgeclf.export.parity import Reference, check_parity
    from edgeclf.export.targets import TARGETS
    from edgeclf.train.keras_file.saving import open_keras

    model = open_keras(reference)
    images = read_images(data, model.card)
    expected = Reference(images, model.probabilities(images.images))
    precisions = {reference.stem + target.suffix: target.precision for target in TARGETS}
    return [check_parity(path, precisions.get(path.name, "unknown"), expected, GateLimits()).to_json() for path in artifacts]


if __name__ == "__main__":
    app()
