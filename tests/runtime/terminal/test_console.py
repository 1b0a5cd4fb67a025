"""What users read: one sentence for an error, no control characters; and how sizes and durations are read."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner, Result

from edgeclf.runtime.errors import ExitCode, GateError, OptionError
from edgeclf.runtime.terminal.console import (
    command_app,
    fail,
    friendly_errors,
    missing_extra,
    note,
    parse_duration,
    parse_size,
    show_size,
)


def test_fail_prints_the_error_on_stderr_and_exits_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        fail("no model", ExitCode.DEVICE_UNAVAILABLE)

    assert (caught.value.exit_code, capsys.readouterr()) == (4, ("", "error: no model\n"))


def test_note_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    note("hello")

    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("caf\udce9", r"caf\xe9"),
        ("a\rb", r"a\rb"),
        (r"C:\new", r"C:\new"),
    ],
    ids=["plain", "lines", "escape", "latin-1", "return", "backslash"],
)
def test_a_note_is_one_line_without_control_characters(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    note(text)

    assert capsys.readouterr().err == f"{shown}\n"


def run_with(error: Exception) -> Result:
    """The result of a command that raises `error`."""
    app = command_app()

    @app.command()
    def command() -> None:
        with friendly_errors():
            raise error

    return CliRunner().invoke(app)


@pytest.mark.usefixtures("in_process")
def test_an_error_of_ours_is_one_sentence_and_its_code() -> None:
    result = run_with(GateError("it differs"))

    assert (result.exit_code, result.stdout, result.stderr) == (3, "", "error: it differs\n")


@pytest.mark.usefixtures("in_process")
def test_an_error_of_the_system_names_its_file() -> None:
    result = run_with(PermissionError(13, "Permission denied", "a.csv"))

    assert (result.exit_code, result.stderr) == (2, "error: a.csv: Permission denied\n")


def test_a_bug_keeps_its_traceback_and_its_code_is_not_that_of_bad_images() -> None:
    script = (
        "import typer\n"
        "from edgeclf.runtime.terminal.console import friendly_errors\n"
        "def command():\n"
        "    with friendly_errors(): 1 / 0\n"
        "typer.run(command)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(("text", "size_hw"), [("224", (224, 224)), ("320x240", (240, 320)), (" 8x16 ", (16, 8))], ids=str)
def test_sizes_are_read_width_first(text: str, size_hw: tuple[int, int]) -> None:
    assert parse_size(text) == size_hw
    assert parse_size(show_size(size_hw)) == size_hw


@pytest.mark.parametrize("text", ["", "big", "240,320", "320x", "x240", "-1", "1.5", "320x240x3", "\u0663"])
def test_other_texts_are_not_sizes(text: str) -> None:
    with pytest.raises(OptionError, match=r"--camera-size takes .*320x240"):
        parse_size(text, "--camera-size")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h5s", 7205), ("0.5s", 0.5)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration("--time", text) == seconds


@pytest.mark.parametrize("text", ["", "30", "0m", "m", "1.5h", "-5m", "5m1h", "1d", "\u0663s", "nans", "1.s"])
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(OptionError, match=r"--give-up takes .*30m"):
        parse_duration("--give-up", text)


@pytest.mark.parametrize(
    ("module", "python", "cure"),
    [
        ("onnxruntime", (3, 14), "edgeclf[cpu]"),
        ("google.protobuf", (3, 11), "protobuf, which is not installed: pip install 'edgeclf[cpu]'"),
        ("tensorflow", (3, 13), "edgeclf[train]"),
        ("keras", (3, 14), "use Python 3.11, 3.12 or 3.13"),
    ],
)
def test_a_missing_package_is_named_with_its_cure(
    module: str, python: tuple[int, int], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", python)
    assert cure in (missing_extra(ModuleNotFoundError(f"No module named {module!r}", name=module)) or "")


def test_an_import_that_fails_for_another_reason_has_no_cure() -> None:
    assert missing_extra(ImportError("cannot import name 'x'", name="numpy")) is None
