"""What people read: one sentence for an error, no control characters."""

from collections.abc import Callable

import pytest
import typer

from edgeclf.runtime.errors import ExitCode, OptionError
from edgeclf.runtime.terminal.console import fail, note, parse_duration


def test_fail_says_error_on_stderr_and_leaves_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
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
def test_line_for_people_is_one_line_without_control_characters(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    note(text)

    assert capsys.readouterr().err == f"{shown}\n"


def test_error_of_ours_is_one_sentence_and_its_code(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import subprocess, sys\n"
        "script = '''\n"
        "import typer\n"
        "from edgeclf.runtime.terminal.console import friendly_errors\n"
        "from edgeclf.runtime.errors import GateError\n"
        "def command():\n"
        "    with friendly_errors(): raise GateError('it differs')\n"
        "typer.run(command)\n"
        "'''\n"
        "done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)\n"
        "print((done.returncode, done.stdout, done.stderr))"
    )

    assert printed == "(3, '', 'error: it differs\\n')\n"


def test_bug_keeps_its_traceback_and_does_not_look_like_bad_images(fresh_python: Callable[..., str]) -> None:
    printed = fresh_python(
        "import subprocess, sys\n"
        "script = '''\n"
        "import typer\n"
        "from edgeclf.runtime.terminal.console import friendly_errors\n"
        "def command():\n"
        "    with friendly_errors(): 1 / 0\n"
        "typer.run(command)\n"
        "'''\n"
        "done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)\n"
        "print(done.returncode, done.stderr)"
    )

    assert printed.startswith("2 Traceback")
    assert "ZeroDivisionError" in printed


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h5s", 7205), ("0.5s", 0.5)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration("--time", text) == seconds


@pytest.mark.parametrize("text", ["", "30", "0m", "m", "1.5h", "-5m", "5m1h", "1d", "\u0663s", "nans", "1.s"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(OptionError, match="--give-up takes hours"):
        parse_duration("--give-up", text)
