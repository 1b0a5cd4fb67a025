"""The flags of `clf-train` for learning from a teacher: a trained model whose answers a smaller network learns."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

_teaching = partial(typer.Option, rich_help_panel="Training")


@dataclass(frozen=True)
class TeachingOptions:
    """What the network learns from, beside the labels."""

    teacher: Annotated[
        Path | None,
        _teaching(
            help="Learn from the answers of this trained model: a run folder, or a .keras, .onnx or .tflite file.",
            metavar="MODEL",
            show_default="none",
        ),
    ] = None
    unlabelled: Annotated[
        Path | None,
        _teaching(
            help="With --teacher: a folder of further images, without labels, to train on.",
            metavar="DIR",
            show_default="none",
        ),
    ] = None


NO_TEACHER = TeachingOptions()
