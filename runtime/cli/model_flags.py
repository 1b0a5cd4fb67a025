"""The flags that choose a model, its device and, for a model without a card, what it takes and answers."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.geometry import Resize
from edgeclf.runtime.terminal.completion import offer
from edgeclf.runtime.terminal.console import note, parse_size
from edgeclf.runtime.terminal.flags import Text

if TYPE_CHECKING:
    from edgeclf.runtime.model.description import ModelDescription

_PANEL = "Model without a card"
DEVICES = "auto|cpu|cuda[:N]|tensorrt[:N]"
"""How the help shows the values of --device."""


@dataclass(frozen=True)
class CardFlags:
    """What a model without a card takes and answers. All commands that open exported models have these flags."""

    classes: Annotated[
        Path | None,
        typer.Option(help="Its classes: lines, a table or JSON.", metavar="FILE", rich_help_panel=_PANEL),
    ] = None
    imgsz: Annotated[
        tuple[int, int] | None,
        Text(parse_size),
        typer.Option(
            help="With --classes: size of its images.",
            metavar="N|WIDTHxHEIGHT",
            show_default="that in the file",
            rich_help_panel=_PANEL,
        ),
    ] = None
    grey: Annotated[bool, typer.Option("--grey", help="With --classes: it takes grey images.", rich_help_panel=_PANEL)] = (
        False
    )
    resize: Annotated[
        str | None,
        typer.Option(
            help="With --classes: how images are resized (bilinear: as Keras does); also opencv-bilinear, opencv-bicubic, "
            "and pillow-bilinear, -bicubic, -lanczos and -box.",
            metavar="shrink|bilinear|nearest|area|...",
            autocompletion=offer(get_args(Resize)),
            show_default="shrink",
            rich_help_panel=_PANEL,
        ),
    ] = None
    fit: Annotated[
        str | None,
        typer.Option(
            help="With --classes: how images get its aspect ratio.",
            metavar="stretch|crop|pad",
            show_default="stretch",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.classes is None and (self.imgsz or self.grey or self.resize or self.fit):
            raise OptionError("--imgsz, --grey, --resize and --fit describe a model without a card; give --classes as well")

    def read(self, *, replaces_card: bool = True) -> "ModelDescription | None":
        """What the flags describe; None without --classes. replaces_card: see ModelDescription. Raises OptionError."""
        from edgeclf.runtime.model.description import ModelDescription
        from edgeclf.runtime.model.labels import read_classes

        if self.classes is None:
            return None
        return ModelDescription(
            read_classes(self.classes),
            self.imgsz,
            grey=self.grey,
            resize=self.resize,  # type: ignore[arg-type]
            fit=self.fit,  # type: ignore[arg-type]
            replaces_card=replaces_card,
        )


@dataclass(frozen=True)
class ModelFlags:
    """Which model runs where."""

    path: Annotated[
        Path | None,
        typer.Argument(
            help="A .onnx or .tflite file. Default: $CLF_MODEL, then ./model*.onnx, then the newest folder in runs/.",
            metavar="MODEL",
            show_default=False,
        ),
    ] = None
    device: Annotated[
        str,
        typer.Option(help="Where the model runs.", metavar=DEVICES, rich_help_panel="Speed"),
    ] = "auto"
    described: CardFlags = CardFlags()

    def find(self) -> Path:
        """The model that was named, or the one to take if none was. Raises ModelError if there is none."""
        return self.path or find_model()


def find_model() -> Path:
    """The model to take when none is named; a note says which one it is. Raises ModelError if there is none."""
    named = os.environ.get("CLF_MODEL")
    here = sorted(Path().glob("model*.onnx"))
    runs = sorted(filter(Path.is_file, Path("runs").glob("*/model*.onnx")), key=lambda path: path.stat().st_mtime)
    if not (named or here or runs):
        raise ModelError(
            "no model is named, and $CLF_MODEL, ./model*.onnx and runs/*/ hold none; try: clf-run model.onnx -s photos/"
        )
    found = Path(named) if named else here[0] if here else runs[-1]
    note(f"model: {found}")
    return found
