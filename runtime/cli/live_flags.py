"""The flags of `clf-run` for cameras, streams, and videos that are watched: what they mean, and whether they were given."""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.console import parse_duration

if TYPE_CHECKING:
    from edgeclf.runtime.run_live import LiveOptions
    from edgeclf.runtime.run_options import RunOptions

_PANEL = "Live options (cameras, streams; videos with one of these)"
_BYTES = re.compile(r"(\d+(?:\.\d+)?) ?([kMGT]?)B", re.ASCII)
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_SHARED = ("sources", "output", "json_lines", "topk", "threshold", "max_pixels", "sampling")
"""Fields of RunOptions that mean the same in a live run; the others are for images in files."""


def _option(*names: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=_PANEL, show_default=False, **settings)


@dataclass(frozen=True)
class LiveFlags:
    """As they are typed, None where they are not; LiveOptions says what they mean."""

    show: Annotated[bool, _option("--show", help="Open a window; without a display, a page as --view does.")] = False
    view: Annotated[
        str | None,
        _option(help="A page in the browser: :8080 for this machine alone, 0.0.0.0:8080 with a token.", metavar="ADDRESS"),
    ] = None
    save: Annotated[Path | None, _option(help="Record what --show shows to FILE.mkv.", metavar="FILE")] = None
    rows: Annotated[
        str | None,
        _option(help="changes (default) or all: a row when the label changes, or for every frame.", metavar="WHICH"),
    ] = None
    smooth: Annotated[
        int | None, _option(min=1, help="Answer with the mean of the last N frames; default 1.", metavar="N")
    ] = None
    hysteresis: Annotated[
        float | None, _option(min=0, max=1, help="Lead at which another label takes over; default 0.1.", metavar="P")
    ] = None
    on_label: Annotated[
        list[str] | None,
        _option(
            "--on-label", help="Run a program when LABEL comes up (unsure, * for any); CLF_LABEL tells.", metavar="LABEL:CMD"
        ),
    ] = None
    on_label_every: Annotated[
        str | None, _option(help="Run each program at most so often; default 10s.", metavar="TIME")
    ] = None
    save_unsure: Annotated[
        Path | None, _option(help="Keep images below --conf in DIR/GUESS/, for the next training.", metavar="DIR")
    ] = None
    save_unsure_max: Annotated[str | None, _option(help="Until DIR holds so much; default 1GB.", metavar="SIZE")] = None
    max_fps: Annotated[float | None, _option(help="At most N answers a second, for each camera.", metavar="N")] = None
    duration: Annotated[str | None, _option(help="End after so long, such as 30s or 8h.", metavar="TIME")] = None
    give_up: Annotated[
        str | None,
        _option(help="End with exit code 4 when a camera gives no image for so long; default never.", metavar="TIME"),
    ] = None
    accept: Annotated[
        list[str] | None,
        _option(help="black or frozen: images that are otherwise taken for a broken camera.", metavar="WHAT"),
    ] = None
    resolution: Annotated[str | None, _option(help="Ask the camera for it, such as 1280x720.", metavar="WxH")] = None
    fps: Annotated[float | None, _option(help="Ask the camera for so many frames a second.", metavar="N")] = None
    fourcc: Annotated[str | None, _option(help="Ask the camera for a format, such as MJPG.", metavar="CODE")] = None
    heartbeat: Annotated[Path | None, _option(help="Write the state to FILE every second.", metavar="FILE")] = None
    health: Annotated[str | None, _option(help="Tell the state at http://ADDRESS/health.", metavar="ADDRESS")] = None

    @property
    def given(self) -> bool:
        """Whether any of them is."""
        return any(getattr(self, one.name) != one.default for one in fields(self))

    def options(self, batch: "RunOptions") -> "LiveOptions":
        """What is asked of a live run; of `batch`, what is common to both. Raises OptionError."""
        from edgeclf.runtime.cameras.settings import RequestedSettings
        from edgeclf.runtime.live.smoothing import NO_SMOOTHING, SmoothingOptions
        from edgeclf.runtime.run_live import LiveOptions

        batch.require_only(_SHARED, "is for images in files, and this is a live run")
        if self.rows not in (None, "changes", "all"):
            raise OptionError(f"--rows takes changes or all, not {self.rows!r}")
        most_bytes = _parse_bytes("--save-unsure-max", self.save_unsure_max)
        smooth = NO_SMOOTHING.smooth if self.smooth is None else self.smooth
        hysteresis = NO_SMOOTHING.hysteresis if self.hysteresis is None else self.hysteresis
        return LiveOptions(
            sources=batch.sources,
            output=batch.output,
            json_lines=batch.json_lines,
            every_frame=self.rows == "all",
            topk=batch.topk,
            smoothing=SmoothingOptions(smooth, hysteresis, batch.threshold),
            on_label=tuple(self.on_label or ()),
            on_label_every_s=_seconds("--on-label-every", self.on_label_every) or LiveOptions.on_label_every_s,
            save_unsure=self.save_unsure,
            save_unsure_most_bytes=most_bytes or LiveOptions.save_unsure_most_bytes,
            show=self.show,
            view=self.view,
            save=self.save,
            max_fps=self.max_fps,
            duration_s=_seconds("--duration", self.duration),
            give_up_s=_seconds("--give-up", self.give_up),
            accept=frozenset(self.accept or ()),
            wanted=RequestedSettings(_parse_resolution(self.resolution), self.fps, self.fourcc),
            heartbeat=self.heartbeat,
            health=self.health,
            sampling=batch.sampling,
            max_pixels=batch.max_pixels,
        )


def _seconds(flag: str, text: str | None) -> float | None:
    return None if text is None else parse_duration(flag, text)


def _parse_bytes(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"{flag} takes a size such as 500MB or 2GB, not {text!r}")
    return int(float(match[1]) * _UNITS[match[2]])


def _parse_resolution(text: str | None) -> tuple[int, int] | None:
    """`"1280x720"` to `(720, 1280)`."""
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"--resolution takes WIDTHxHEIGHT, such as 1280x720, not {text!r}")
    return int(match[2]), int(match[1])
