"""The options of a live run: each one is declared here once, with its flag and its help."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.label_completion import complete_labels
from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.console import parse_duration
from edgeclf.runtime.terminal.flags import Text, flags_given
from edgeclf.runtime.terminal.values import parse_share

if TYPE_CHECKING:
    from edgeclf.runtime.cameras.settings import RequestedSettings
    from edgeclf.runtime.live.smoothing import SmoothingOptions

_ROWS = ("changes", "all")
_BYTES = re.compile(r"(\d+(?:\.\d+)?) ?([kMGT]?)B", re.ASCII)
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_option = partial(typer.Option, rich_help_panel="Live (cameras, streams, and videos with one of these options)")
_CAMERA_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)


def parse_bytes(flag: str, text: str) -> int:
    """Bytes in `"500MB"` or `"2GB"`, the value of `flag`. Raises OptionError.

    >>> parse_bytes("--save-unsure-max", "1.5kB")
    1500
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"{flag} takes a size such as 500MB or 2GB, not {text!r}")
    return int(float(match[1]) * _UNITS[match[2]])


def parse_camera_size(text: str) -> tuple[int, int]:
    """`"1280x720"` (width x height) as `(720, 1280)`. Raises OptionError."""
    match = _CAMERA_SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"--camera-size takes WIDTHxHEIGHT, such as 1280x720, not {text!r}")
    return int(match[2]), int(match[1])


@dataclass(frozen=True)
class LiveOptions:
    """The options of a live run, on top of the `RunOptions` that it shares with a batch run.

    None: the default that the help shows. It is not filled in here, because a flag that repeats its default makes the run
    live, too. rows: `changes` or `all`. on_label: `LABEL:COMMAND`. give_up_s: also how long to wait for a camera at the
    start; None: it must be there at the start, and later it is waited for without a limit.
    """

    show: Annotated[bool, _option("--show", help="Open a window; without a display, a page as --view does.")] = False
    view: Annotated[
        str | None,
        _option(help="Serve a page: at :8080 for this machine only, at 0.0.0.0:8080 with a token.", metavar="ADDRESS"),
    ] = None
    fast: Annotated[
        bool, _option("--fast", help="With --show or --view: play videos as fast as possible, not at their own speed.")
    ] = False
    record: Annotated[Path | None, _option(help="Record what --show shows to FILE.mkv.", metavar="FILE")] = None
    rows: Annotated[
        str | None,
        _option(
            help="Write a row when the label changes, or for all frames.", metavar="|".join(_ROWS), show_default="changes"
        ),
    ] = None
    smooth: Annotated[
        int | None, _option(min=1, help="Answer with the mean of the last N frames.", metavar="N", show_default="1")
    ] = None
    hysteresis: Annotated[
        float | None,
        Text(partial(parse_share, "--hysteresis")),
        _option(help="Lead at which another label takes over.", metavar="P", show_default="0.1"),
    ] = None
    on_label: Annotated[
        tuple[str, ...],
        _option(
            help="Run a program when LABEL appears: a class, unsure, unknown, * for any. CLF_LABEL has the answer.",
            metavar="LABEL:COMMAND",
            autocompletion=complete_labels,
            show_default=False,
        ),
    ] = ()
    on_label_every_s: Annotated[
        float | None,
        Text(partial(parse_duration, "--on-label-every")),
        _option("--on-label-every", help="Least time between two runs of a program.", metavar="TIME", show_default="10s"),
    ] = None
    save_unsure: Annotated[
        Path | None, _option(help="Save images with an answer below --conf to DIR/GUESS/, for training.", metavar="DIR")
    ] = None
    save_unsure_max_bytes: Annotated[
        int | None,
        Text(partial(parse_bytes, "--save-unsure-max")),
        _option("--save-unsure-max", help="Largest size of DIR.", metavar="SIZE", show_default="1GB"),
    ] = None
    duration_s: Annotated[
        float | None,
        Text(partial(parse_duration, "--duration")),
        _option("--duration", help="End after this time, such as 30s or 8h.", metavar="TIME"),
    ] = None
    give_up_s: Annotated[
        float | None,
        Text(partial(parse_duration, "--give-up")),
        _option(
            "--give-up",
            help="End with exit code 4 when a camera gives no good frame for this time.",
            metavar="TIME",
            show_default="never",
        ),
    ] = None
    accept: Annotated[
        tuple[str, ...],
        _option(
            help="Accept frames that otherwise count as a broken camera's: black or frozen.",
            metavar="black|frozen",
            show_default=False,
        ),
    ] = ()
    camera_size_hw: Annotated[
        tuple[int, int] | None,
        Text(parse_camera_size),
        _option("--camera-size", help="Ask the camera for this size, such as 1280x720.", metavar="WIDTHxHEIGHT"),
    ] = None
    camera_fps: Annotated[float | None, _option(help="Ask the camera for N frames a second.", metavar="N")] = None
    camera_fourcc: Annotated[
        str | None, _option(help="Ask the camera for a pixel format, such as MJPG.", metavar="CODE")
    ] = None
    health: Annotated[str | None, _option(help="Report the run's state at http://ADDRESS/health.", metavar="ADDRESS")] = None

    def __post_init__(self) -> None:
        require_choice("--rows", self.rows, _ROWS, is_optional=True)
        if self.fast and not self.is_watched:
            raise OptionError("--fast is for videos that are watched; add --show or --view, or leave it out")

    @property
    def given(self) -> bool:
        """Whether any of them was given."""
        return any(True for _ in flags_given(self))

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks at it while it runs."""
        return self.show or self.view is not None

    @property
    def camera(self) -> "RequestedSettings":
        """What to ask cameras for. Raises OptionError for what no camera can give."""
        from edgeclf.runtime.cameras.settings import RequestedSettings

        return RequestedSettings(self.camera_size_hw, self.camera_fps, self.camera_fourcc)

    def smoothing(self, threshold: float, highest_novelty: float = 1.0) -> "SmoothingOptions":
        """How to smooth answers. threshold, highest_novelty: as in SmoothingOptions. Raises OptionError."""
        from edgeclf.runtime.live.smoothing import NO_SMOOTHING, SmoothingOptions

        smooth = NO_SMOOTHING.smooth if self.smooth is None else self.smooth
        hysteresis = NO_SMOOTHING.hysteresis if self.hysteresis is None else self.hysteresis
        return SmoothingOptions(smooth, hysteresis, threshold, highest_novelty)
