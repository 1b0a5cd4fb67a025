"""What `clf-bench` measures, and the limits it checks. Every field is also a flag of the command.

This module imports nothing heavy, so that `clf-bench --help` is instant.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.runtime.cli.model_flags import DEVICES
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.flags import Text
from edgeclf.runtime.terminal.values import parse_device, parse_share

MAX_DROP = 0.01
"""The default limit of the accuracy gate, the same as for an export."""
MAX_REGRESSION = 0.1
_IMAGES, _MEASUREMENT, _GATES = "Images and reference", "Measurement", "Gates"


def parse_batches(text: str) -> tuple[int | None, ...]:
    """`"auto,1,8"`, with None for auto. Raises OptionError."""
    parts = [part.strip() for part in text.split(",")]
    sizes = ",".join(part for part in parts if part != "auto")
    found = _parse_numbers("--batch", sizes) if sizes or "auto" not in parts else ()
    return (*([None] if "auto" in parts else []), *found)


def parse_devices(text: str) -> tuple[str, ...]:
    """`"cpu,cuda"`, each name once."""
    return tuple(dict.fromkeys(map(parse_device, text.split(","))))


def parse_threads(text: str) -> tuple[int, ...]:
    """`"1,2"`; empty text is an empty tuple. Raises OptionError."""
    return _parse_numbers("--threads", text) if text else ()


def _parse_numbers(flag: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    numbers = tuple(int(part) for part in parts if part.isascii() and part.isdigit())
    if len(numbers) != len(parts) or min(numbers) < 1:
        raise OptionError(f"{flag} takes whole numbers of at least 1, separated by commas, not {text!r}")
    return tuple(dict.fromkeys(numbers))


@dataclass(frozen=True)
class Gates:
    """The limits for a recommendation.

    max_drop: the share of the reference model's correct predictions that may be lost. None means MAX_DROP, and that a run
    without labelled images is fine.
    """

    max_drop: Annotated[
        float | None,
        Text(partial(parse_share, "--max-drop")),
        typer.Option(
            help="Largest accuracy loss, as a share of the reference model's accuracy, such as 0.01 or 1%.",
            metavar="P",
            show_default=str(MAX_DROP),
            rich_help_panel=_GATES,
        ),
    ] = None
    min_fps: Annotated[
        float,
        typer.Option(
            min=0, help="Lowest acceptable speed, in images per second.", show_default="none", rich_help_panel=_GATES
        ),
    ] = 0.0

    @property
    def allowed_drop(self) -> float:
        return MAX_DROP if self.max_drop is None else self.max_drop


GATES = Gates()


@dataclass(frozen=True)
class Options:
    """What `clf-bench` measures.

    batches: None is the size that `clf-run` would choose. threads: empty means all usable cores.

    Raises OptionError for a max_regression without a baseline.
    """

    models: Annotated[
        tuple[Path, ...],
        typer.Argument(help=".onnx and .tflite files, or folders that hold them.", metavar="MODEL", show_default=False),
    ]
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled images: a folder or an archive. If it has a test split, only that is used.",
            show_default="the training run's test split, or the samples in a .keras file beside a model",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    max_images: Annotated[
        int,
        typer.Option(
            "--limit", min=1, help="Use at most N labelled images, spread evenly.", metavar="N", rich_help_panel=_IMAGES
        ),
    ] = 2000
    against: Annotated[
        Path | None,
        typer.Option(
            help="Reference model; a .keras file needs TensorFlow.",
            show_default="the first model",
            rich_help_panel=_IMAGES,
        ),
    ] = None
    batches: Annotated[
        tuple[int | None, ...],
        Text(parse_batches),
        typer.Option(
            "--batch",
            "-b",
            help="Batch sizes; auto is the size that clf-run would choose.",
            metavar="N,...",
            show_default="auto",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = (None,)
    devices: Annotated[
        tuple[str, ...],
        Text(parse_devices),
        typer.Option(
            "--device",
            help="Devices.",
            metavar=f"{DEVICES},...",
            show_default="auto",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = ("auto",)
    threads: Annotated[
        tuple[int, ...],
        Text(parse_threads),
        typer.Option(
            help="Numbers of CPU threads.",
            metavar="N,...",
            show_default="all usable cores",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = ()
    end_to_end: Annotated[
        bool,
        typer.Option(
            "--end-to-end/--infer-only",
            help="Measure from files to predictions, as in clf-run, or only the model, on images in memory.",
            rich_help_panel=_MEASUREMENT,
        ),
    ] = True
    rounds: Annotated[int, typer.Option(min=1, help="Measurement rounds.", rich_help_panel=_MEASUREMENT)] = 5
    seconds: Annotated[
        float,
        typer.Option(min=0.1, help="Seconds per measurement in each round.", rich_help_panel=_MEASUREMENT),
    ] = 2.0
    gates: Gates = GATES
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="bench.json of an earlier run to compare speeds with.", show_default="none", rich_help_panel=_GATES
        ),
    ] = None
    max_regression: Annotated[
        float | None,
        Text(partial(parse_share, "--max-regression")),
        typer.Option(
            help="Largest loss of speed against the baseline.",
            metavar="P%",
            show_default=f"{MAX_REGRESSION:.0%}",
            rich_help_panel=_GATES,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.max_regression is not None and self.baseline is None:
            raise OptionError("--max-regression compares with an earlier run; name its bench.json with --baseline")

    @property
    def allowed_regression(self) -> float:
        return MAX_REGRESSION if self.max_regression is None else self.max_regression
