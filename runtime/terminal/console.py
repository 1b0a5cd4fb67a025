"""What all commands share: data goes to stdout, messages to stderr, and an error is one sentence and an exit code."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer

from edgeclf.runtime.errors import EdgeclfError, ExitCode, OptionError
from edgeclf.runtime.terminal.bar import above_bar
from edgeclf.runtime.terminal.commands import CommandApp, DefaultGroup
from edgeclf.runtime.terminal.completion import join_split_words
from edgeclf.runtime.terminal.escaping import one_line
from edgeclf.runtime.terminal.help import HELP_NAMES
from edgeclf.runtime.terminal.notebook import in_notebook
from edgeclf.runtime.terminal.streams import StdoutError, data_stream, stdout_for_data_only, take_over_streams
from edgeclf.runtime.terminal.usage import show_error
from edgeclf.runtime.version import __version__

_EXTRA_FOR = {
    "PIL": "adopt",
    "ai_edge_litert": "litert",
    "cv2": "cpu",
    "elpv_dataset": "demo",
    "fsspec": "store",
    "google": "cpu",  # protobuf, which comes with the engines
    "keras": "train",
    "matplotlib": "train",
    "mss": "screen",
    "onnx": "adopt",
    "pyarrow": "parquet",
    "ray": "ray",
    "simplejpeg": "verify",
    "onnxruntime": "cpu",
    "scipy": "adopt",
    "sklearn": "train",
    "tensorflow": "train",
    "tf2onnx": "export",
    "xlsxwriter": "excel",
}
_NEEDS_TENSORFLOW = ("demo", "export", "train")
_FIRST_PYTHON_WITHOUT_TENSORFLOW = (3, 14)
STDOUT = "-"
"""Stands for stdout where an output file is named."""
_BROKEN_PIPE = 141  # a shell's status for a program that SIGPIPE ended
_SIZE = re.compile(r"(\d{1,6})(?:x(\d{1,6}))?", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)


def command_app(default: str | None = None) -> CommandApp:
    """The settings that all commands share. Plain help, because typer's rich help takes longer to import than all the rest.

    default: of several sub-commands, the one that runs when none is named.
    """
    settings = {"help_option_names": HELP_NAMES, "max_content_width": 110}
    group = type("Group", (DefaultGroup,), {"default": default}) if default else None
    return _App(cls=group, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=settings)


def show_version(wanted: bool) -> None:
    """Print the version and exit, for a command's --version."""
    if wanted:
        typer.echo(f"edgeclf {__version__}")
        raise typer.Exit


def parse_size(text: str, flag: str = "--imgsz") -> tuple[int, int]:
    """Read `"224"` or `"320x240"` (width x height), given as `flag`, as `(H, W)`. Raises OptionError.

    >>> parse_size("224"), parse_size("320x240")
    ((224, 224), (240, 320))
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"{flag} takes a size in pixels such as 224 or 320x240 (width x height), not {text!r}")
    width, height = match[1], match[2] or match[1]
    return int(height), int(width)


def show_size(size_hw: tuple[int, int]) -> str:
    """Write `(H, W)` as `parse_size` reads it.

    >>> show_size((224, 224)), show_size((240, 320))
    ('224', '320x240')
    """
    height, width = size_hw
    return f"{width}" if width == height else f"{width}x{height}"


def show_shape(sides: Iterable[object]) -> str:
    """Write the sides of an array: numbers as such, names as they are, and `any` for None and -1.

    >>> show_shape(("batch", 8, -1, None))
    '[batch, 8, any, any]'
    """
    return f"[{', '.join('any' if side in (None, -1) else str(side) for side in sides)}]"


def parse_duration(flag: str, text: str) -> float:
    """Read `"90s"`, `"0.5s"`, `"30m"` or `"1h30m"`, given as `flag`, as seconds. Raises OptionError.

    >>> parse_duration("--time", "1h30m")
    5400.0
    """
    match = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    if hours + minutes + seconds == 0:
        raise OptionError(f"{flag} takes hours, minutes and seconds, such as 90s, 30m or 1h30m, not {text!r}")
    return hours * 3600 + minutes * 60 + seconds


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised in the main thread, which then unwinds as after Ctrl-C."""


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn an error that the user can fix into one sentence on stderr and an exit code. Bugs keep their traceback.

    Inside the block, only `print_data` and `tables.open_console` write to stdout.
    """
    signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        with stdout_for_data_only():
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
    except BrokenPipeError:  # of an output that is a named pipe
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
    """Print `error: ...` on stderr and exit with `code`."""
    show_error(sentence)
    raise typer.Exit(code)


def missing_extra(error: ImportError) -> str | None:
    """What to install if one of our extras is missing; None if the import failed for another reason."""
    missing = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing in _EXTRA_FOR:
        extra = _EXTRA_FOR[missing]
        package = "protobuf" if missing == "google" else missing
        if extra in _NEEDS_TENSORFLOW and sys.version_info >= _FIRST_PYTHON_WITHOUT_TENSORFLOW:
            return f"this needs {package}, and TensorFlow has no release for this Python; use Python 3.11, 3.12 or 3.13"
        return f"this needs {package}, which is not installed: pip install 'edgeclf[{extra}]'"
    if "libGL" in str(error):
        cure = "install it (apt install libgl1), or opencv-python-headless instead of opencv-python"
        return f"OpenCV's desktop build needs the system's libGL: {cure}"
    return None


def note(sentence: str) -> None:
    """Print one line on stderr. It stays one printable line even if it quotes a file name with control characters.

    In a notebook it goes to stdout, because what is on stderr looks like a failure there.
    """
    with above_bar():
        typer.echo(one_line(sentence), err=not in_notebook())


def warn(sentence: str) -> None:
    """Print `warning: ...` as `note` does."""
    if in_notebook():
        note(f"warning: {sentence}")
        return
    typer.secho("warning: ", fg="yellow", bold=True, err=True, nl=False)
    note(sentence)


def print_data(text: object) -> None:
    """Write what the command was asked for to stdout, as a line. Nothing that is printed in another way gets there."""
    typer.echo(text, file=data_stream())


class _App(CommandApp):
    """Called as a program, it uses the process's own streams."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        join_split_words(os.environ)
        try:
            take_over_streams()
            return super().__call__(*arguments, **settings)
        except StdoutError as error:
            if error.detail:
                show_error(f"cannot write to stdout: {error.detail}")
            sys.exit(ExitCode.FAILED if error.detail else _BROKEN_PIPE)


def _crash() -> NoReturn:
    """Print the traceback of a bug and exit with 2. Python itself would exit with 1, which means that some inputs failed."""
    traceback.print_exc()
    raise typer.Exit(ExitCode.FAILED) from None


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated
