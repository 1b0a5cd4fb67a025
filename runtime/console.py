"""How every command speaks: data on stdout, everything for people on stderr, errors as one sentence and an exit code."""

import faulthandler
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import typer
import typer.core

from edgeclf.runtime import __version__
from edgeclf.runtime.errors import EdgeclfError, ExitCode, OptionError
from edgeclf.runtime.escaping import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

_EXTRA_FOR = {
    "ai_edge_litert": "litert",
    "cv2": "cpu",
    "elpv_dataset": "demo",
    "keras": "train",
    "matplotlib": "train",
    "mss": "screen",
    "onnx": "export",
    "pyarrow": "parquet",
    "simplejpeg": "verify",
    "onnxruntime": "cpu",
    "scipy": "train",
    "sklearn": "train",
    "tensorflow": "train",
    "tf2onnx": "export",
}
_BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)


def command_app(default: str | None = None) -> typer.Typer:
    """The settings that all commands share. Plain help: typer's rich one takes longer to import than all the rest.

    default: of several sub-commands, the one that is meant where none is named.
    """
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
    group = type("Group", (_DefaultGroup,), {"default": default}) if default else None
    return typer.Typer(cls=group, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=settings)


class _DefaultGroup(typer.core.TyperGroup):
    """`clf-train photos/` means `clf-train train photos/`, and its help and its errors say so little as that."""

    default: str

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name == self.default:
            name, ctx.info_name = ctx.info_name, ""
        return name, command, rest


def show_version(wanted: bool) -> None:
    """Print the version and stop, for a command's --version."""
    if wanted:
        typer.echo(f"edgeclf {__version__}")
        raise typer.Exit


def parse_size(text: str) -> tuple[int, int]:
    """`"224"` or `"192,256"` (H,W) to `(H, W)`. Raises OptionError."""
    try:
        sides = [int(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise OptionError(f"--imgsz takes N or H,W in pixels, not {text!r}")
    return sides[0], sides[-1]


def parse_duration(flag: str, text: str) -> float:
    """Seconds in `"90s"`, `"0.5s"`, `"30m"` or `"1h30m"`, which was given as `flag`. Raises OptionError.

    >>> parse_duration("--time", "1h30m")
    5400.0
    """
    match = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    if hours + minutes + seconds == 0:
        raise OptionError(f"{flag} takes hours, minutes and seconds, such as 90s, 30m or 1h30m, not {text!r}")
    return hours * 3600 + minutes * 60 + seconds


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where the main thread stands, so that it unwinds as Ctrl-C does."""


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn what the user can put right into one sentence on stderr and the exit code for it; bugs keep their traceback."""
    _check_streams()
    _take_over_stderr()
    signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except EdgeclfError as error:
        fail(str(error), error.exit_code)
    except ImportError as error:
        cure = missing_extra(error)
        if cure is None:
            _crash()
        fail(cure, ExitCode.FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains
        raise typer.Exit(_BROKEN_PIPE) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(where + (error.strerror or str(error)), ExitCode.FAILED)
    except Terminated:
        raise typer.Exit(ExitCode.TERMINATED) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except Exception:
        _crash()


def fail(sentence: str, code: ExitCode) -> NoReturn:
    """Print `error: ...` on stderr and leave the command with `code`."""
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    note(sentence)
    raise typer.Exit(code)


def missing_extra(error: ImportError) -> str | None:
    """What to install when one of our extras is missing; None for any other import that failed."""
    missing = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing in _EXTRA_FOR:
        return f"this needs {missing}, which is not installed: pip install 'edgeclf[{_EXTRA_FOR[missing]}]'"
    if "libGL" in str(error):
        cure = "install it (apt install libgl1), or opencv-python-headless in place of opencv-python"
        return f"OpenCV's desktop build needs the system's libGL: {cure}"
    return None


def note(sentence: str) -> None:
    """One line for people, on stderr; whatever a file name in it holds, it stays one line of printable text.

    Where nobody can read it, because the disk behind stderr is full or its reader has gone, that is no reason to end.
    """
    try:
        typer.echo(escape(sentence).replace("\\\\", "\\"), err=True)
    except OSError:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (or the flush at exit complains)


def stderr_console() -> "Console":
    """A rich console on stderr; NO_COLOR and a width of 100 without a terminal."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 100)


class Progress:
    """How far a long step is, with rate and time left: a bar on a terminal, a line every `every_s` seconds elsewhere."""

    def __init__(self, label: str, total: int | None = None, unit: str = "pictures", *, every_s: float = 10.0) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.new = 0
        self.unit = unit
        self.detail = ""
        self._every_s = every_s
        self._started = self._printed = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._bar = _bar(self.unit)
            self._task = self._bar.add_task(self.label, total=self.total, rate="", detail="")
            self._bar.start()
        return self

    def start_at(self, done: int) -> None:
        """So many were done before; they count for how far it is, not for how fast."""
        self.done = done
        if self._bar:
            self._bar.reset(self._task, completed=done)

    def advance(self, count: int = 1, detail: str = "") -> None:
        """`count` more are done; `detail` is shown beside the bar until the next one."""
        self.done += count
        self.new += count
        self.detail = detail or self.detail
        if self.total and self.done > self.total:
            self.total = None  # there is more than could be counted, such as the frames of videos in a list
        if self._bar:
            rate = f"{self.rate:,.0f} {self.unit}/s" if self.rate >= 10 else ""
            self._bar.update(self._task, completed=self.done, total=self.total, rate=rate, detail=self.detail)
        elif time.monotonic() - self._printed >= self._every_s:
            self._printed = time.monotonic()
            note(self._line())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Without the bar while something is written to stdout, if both are on one terminal."""
        bar = self._bar if sys.stdout.isatty() else None
        if bar:
            bar.stop()
        try:
            yield
        finally:
            if bar:
                bar.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Units a second, from the start."""
        return self.new / max(self.elapsed_s, 1e-9)

    def count_in_background(self, count: Callable[[], int]) -> None:
        """Learn the total from `count()` while the work already runs; 0 means that nobody knows it."""

        def learn() -> None:
            with suppress(EdgeclfError, OSError):  # whoever works through them meets it, too
                self.total = count() or None

        threading.Thread(target=learn, daemon=True).start()

    def _line(self) -> str:
        of_total = f" of {self.total:,}" if self.total else ""
        left = ""
        if self.total and self.new:
            seconds = round(max(0, self.total - self.done) / self.rate)
            left = f", {seconds // 60}:{seconds % 60:02} left"
        rate = f", {self.rate:,.1f}/s" if self.rate >= 1 else ""
        return f"{self.label}: {self.done:,}{of_total} {self.unit}{rate}{left}{'  ' + self.detail if self.detail else ''}"


def _bar(unit: str) -> "RichProgress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn(unit + "  {task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[detail]}", markup=False),
        console=stderr_console(),
        transient=True,
    )


def _crash() -> NoReturn:
    """A bug keeps its traceback; but Python's own exit status would be 1, which says that some inputs failed."""
    traceback.print_exc()
    raise typer.Exit(ExitCode.FAILED) from None


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _check_streams() -> None:
    """Streams that a caller has closed would be taken by the next files opened; and names may hold any bytes."""
    if sys.stderr is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115 (as long as the process lives)
    if sys.stdout is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = open(1, "w", encoding="utf-8")  # noqa: SIM115
        fail("stdout is closed; send it to a file, or to /dev/null", ExitCode.FAILED)
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]


def _take_over_stderr() -> None:
    """Keep stderr for ourselves: what native libraries (libpng, TensorFlow, XNNPACK) print there is noise to a user.

    They write to file descriptor 2, which now leads nowhere; Python, crash dumps included, writes to a copy of the real one.
    EDGECLF_VERBOSE=1 leaves everything as it was.
    """
    if os.environ.get("EDGECLF_VERBOSE"):
        return
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    sys.stderr.flush()
    real = os.dup(2)
    sys.stderr = os.fdopen(real, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    faulthandler.enable(sys.stderr)
