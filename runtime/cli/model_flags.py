"""The flags that choose a model, its device and, for a model without a card, what it takes and answers."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.geometry import Resize
from edgeclf.runtime.terminal.completion import offer
from edgeclf.runtime.terminal.console import parse_size, show_size
from edgeclf.runtime.terminal.flags import Text
from edgeclf.runtime.terminal.values import parse_device

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

    def as_arguments(self) -> tuple[str | Path, ...]:
        """These flags as another command takes them."""
        values = {"--classes": self.classes, "--imgsz": self.imgsz and show_size(self.imgsz)}
        values |= {"--resize": self.resize, "--fit": self.fit}
        given = tuple(word for flag, value in values.items() if value for word in (flag, value))
        return (*given, "--grey") if self.grey else given

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

    words: Annotated[
        tuple[str, ...],
        typer.Argument(
            help="A .onnx or .tflite file or a run folder, then sources, as for --source. Default: $CLF_MODEL, "
            "./model*.onnx, the newest run.",
            metavar="[MODEL] SOURCE",
            show_default=False,
        ),
    ] = ()
    path: Annotated[
        Path | None,
        typer.Option(
            "--model", "-m", help="The model; all arguments are then sources.", metavar="MODEL", rich_help_panel="Model"
        ),
    ] = None
    device: Annotated[
        str,
        Text(parse_device),
        typer.Option(
            help="Where the model runs; gpu is cuda, and 0 is cuda:0.",
            metavar=DEVICES,
            show_default="auto",
            rich_help_panel="Speed",
        ),
    ] = "auto"
    described: CardFlags = CardFlags()

    def find(self) -> Path:
        """The model that was named, or the one to take if none was. Raises ModelError if there is none."""
        from edgeclf.runtime.model.run_folder import model_in_run

        return model_in_run(self.path) if self.path else find_model()


def find_model() -> Path:
    """The model to take when none is named; a note says which one it is. Raises ModelError if there is none.

    In each folder, the file that was recommended comes first.
    """
    from edgeclf.runtime.model.run_folder import Choice, choose, model_in_run

    if named := os.environ.get("CLF_MODEL"):
        return Choice(Path(named), "from $CLF_MODEL").take() if Path(named).is_file() else model_in_run(Path(named))
    runs = [found for folder in Path().glob("runs/*/") if (found := choose(folder, "model*.onnx"))]
    newest = max(runs, key=lambda found: found.model.stat().st_mtime, default=None)
    found = choose(Path(), "model*.onnx") or newest
    if found is None:
        raise ModelError(
            "no model is named, and $CLF_MODEL, ./model*.onnx and runs/*/ hold none; try: clf-run model.onnx photos/"
        )
    return found.take()
