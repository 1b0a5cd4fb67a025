"""Flags that are declared as a dataclass."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.terminal.commands import SectionedCommand
from edgeclf.runtime.terminal.flags import Text, flags_given, takes

pytestmark = pytest.mark.usefixtures("in_process")  # its settings: stderr stays where pytest wants it


def parse_share(text: str) -> float:
    return float(text.removesuffix("%")) / 100


@dataclass(frozen=True)
class Paper:
    share: Annotated[float, Text(parse_share), typer.Option("--grey", metavar="P%", show_default="5%")] = 0.05

    def __post_init__(self) -> None:
        if self.share > 1:
            raise OptionError(f"--grey takes at most 100%, not {self.share:.0%}")


@dataclass(frozen=True)
class Drawing:
    paper: Paper
    colour: Annotated[str, typer.Option("--colour", "-c", help="Of the line.", rich_help_panel="Drawing")]
    width: Annotated[int, typer.Option(min=1, rich_help_panel="Drawing")] = 2
    points: Annotated[tuple[str, ...], typer.Option(rich_help_panel="Drawing")] = ()


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
    assert given == "me True Drawing(paper=Paper(share=0.05), colour='red', width=2, points=('a', 'b'))\n"


def test_a_field_that_is_a_dataclass_stands_for_its_flags_and_text_is_parsed() -> None:
    assert "Paper(share=0.2)" in run("me", "-c", "red", "--grey", "20%")


def test_what_a_dataclass_refuses_is_one_sentence_and_exit_2() -> None:
    result = CliRunner().invoke(app, ["me", "-c", "red", "--grey", "200%"])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "error: --grey takes at most 100%, not 200%\n")


def test_a_field_without_a_default_is_required() -> None:
    assert "--colour is missing" in run("me")


def test_flags_are_checked_as_those_of_any_command() -> None:
    assert "--width takes at least 1, not '0'" in run("me", "-c", "red", "--width", "0")


def test_help_shows_a_section_for_each_panel() -> None:
    text = run("--help")
    places = [text.index(part) for part in ("\nArguments:\n", "\nOptions:\n", "\nDrawing:\n", "--colour", "The end.")]
    assert places == sorted(places)
    assert text.index("--fast") < text.index("\nDrawing:\n")


def test_flags_that_were_given_are_known_by_field_and_flag() -> None:
    assert list(flags_given(Drawing(Paper(0.1), "red", points=("a",)))) == [
        ("paper", "--grey"),
        ("colour", "--colour"),
        ("points", "--points"),
    ]
