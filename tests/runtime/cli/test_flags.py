"""Flags that are declared as a dataclass."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from edgeclf.runtime.cli.flags import SectionedCommand, takes


@dataclass(frozen=True)
class Drawing:
    colour: Annotated[str, typer.Option("--colour", "-c", help="Of the line.", rich_help_panel="Drawing")]
    width: Annotated[int, typer.Option(min=1, rich_help_panel="Drawing")] = 2
    points: Annotated[list[str] | None, typer.Option(rich_help_panel="Drawing")] = None


app = typer.Typer(rich_markup_mode=None)


@app.command(cls=SectionedCommand, epilog="The end.")
@takes(drawing=Drawing)
def draw(name: Annotated[str, typer.Argument(help="Whose.")], *, fast: bool = False, drawing: Drawing) -> None:
    """Draw something."""
    typer.echo(f"{name} {fast} {drawing}")


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, arguments).output


def test_flags_arrive_as_the_dataclass() -> None:
    given = run("me", "--fast", "-c", "red", "--points", "a", "--points", "b")
    assert given == "me True Drawing(colour='red', width=2, points=['a', 'b'])\n"


def test_a_field_without_a_default_is_required() -> None:
    assert "Missing option '--colour'" in run("me")


def test_flags_are_checked_as_those_of_any_command() -> None:
    assert "Invalid value for '--width'" in run("me", "-c", "red", "--width", "0")


def test_help_has_a_section_for_them() -> None:
    text = run("--help")
    own, section = text.index("--fast"), text.index("\nDrawing:\n")
    assert own < section < text.index("--colour") < text.index("The end.")
    assert text.index("\nArguments:\n") < text.index("\nOptions:\n") < own
