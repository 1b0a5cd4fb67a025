"""How the help of every command reads, and options whose value may be left out."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgeclf.runtime.terminal.console import command_app

app = command_app(default="draw")


@app.command()
def draw(
    name: str,
    *,
    colour: Annotated[list[str], typer.Option(help="Of the line.")] = [],  # noqa: B006 (typer copies it)
    width: Annotated[int, typer.Option(min=1, show_default="measured")] = 2,
    size: float = 1.0,
    printer: Annotated[str | None, typer.Option(metavar="[ADDRESS]", rich_help_panel="Printing")] = None,
    fast: bool = False,
) -> None:
    """Draw something."""
    typer.echo(f"{name} {printer!r} {fast}")


@app.command()
def erase(name: str) -> None:
    """Erase what was drawn. It cannot be undone."""
    typer.echo(f"erased {name}")


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, arguments, prog_name="clf-draw").output


def test_the_default_command_need_not_be_named() -> None:
    assert (run("me"), run("draw", "me"), run("erase", "me")) == ("me None False\n", "me None False\n", "erased me\n")


def test_a_shell_can_be_taught_to_complete_the_command() -> None:
    assert "_CLF_DRAW_COMPLETE=complete_bash" in run("--show-completion", "bash")


def test_help_lists_the_other_commands_and_only_there() -> None:
    assert "\nCommands:\n  erase  Erase what was drawn" in run("--help")
    assert "Commands:" not in run("erase", "--help")


def test_help_shows_no_names_of_python_types() -> None:
    text = run("--help")
    for shown in ("  NAME  [required]", "--colour TEXT  ", "--width N ", "--size NUMBER ", "[default: measured]"):
        assert shown in text
    assert not [hidden for hidden in ("<", "list[", "(measured)", "name str") if hidden in text]


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("me",), None),
        (("me", "--printer"), ""),
        (("--printer", "--fast", "me"), ""),
        (("--printer", "hall:631", "me"), "hall:631"),
        (("--printer=hall:631", "me"), "hall:631"),
    ],
    ids=["left out", "last", "before an option", "with a value", "with an equals sign"],
)
def test_an_option_with_a_bracketed_metavar_needs_no_value(arguments: tuple[str, ...], value: str | None) -> None:
    assert run(*arguments).startswith(f"me {value!r} ")
