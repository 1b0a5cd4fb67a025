"""The help of every command: two examples first, sections, one screen; `--help-all` has the rest."""

import re

import pytest
from typer.testing import CliRunner

from tests.support.scripts import SCRIPTS, app_of, commands

SCREEN_LINES = 42
WIDTH = 100
PAGES = [name for name in commands() if name.split()[-1] not in ("train", "run", "export")]


def page(name: str, option: str) -> str:
    command, *sub_command = name.split()
    arguments = [*sub_command, option]
    done = CliRunner().invoke(app_of(command), arguments, prog_name=command, terminal_width=WIDTH - 2)
    assert done.exit_code == 0, done.output
    return done.stdout


def headings(text: str) -> list[str]:
    return re.findall(r"^(\w.*):$", text, re.MULTILINE)


def options(name: str) -> set[str]:
    return {
        flag
        for one in commands()[name].params
        if one.param_type_name == "option"
        for flag in (*one.opts, *one.secondary_opts)
    }


def test_pages_are_those_of_all_commands() -> None:
    assert {*SCRIPTS, "clf-train evaluate", "clf-run undo", "clf-export check"} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_the_help_is_one_screen_that_begins_with_two_examples(name: str) -> None:
    lines = page(name, "--help").splitlines()
    examples = lines[lines.index("Examples:") + 1 :][:3]
    assert len(lines) <= SCREEN_LINES
    assert max(map(len, lines)) <= WIDTH
    assert headings("\n".join(lines))[0] == "Examples"
    assert [line.startswith(f"  {name}") for line in examples] == [True, True, False]


@pytest.mark.parametrize("name", PAGES)
def test_every_option_is_in_help_all(name: str) -> None:
    text = page(name, "--help-all")
    assert options(name) > {"--version"} or " " in name
    assert [flag for flag in options(name) if not re.search(rf"(?<![\w-]){flag}(?![\w-])", text)] == []


@pytest.mark.parametrize("name", ["clf-train", "clf-run", "clf-export", "clf-bench", "clf-check"])
def test_the_help_shows_the_options_that_are_marked_as_common_and_says_where_the_others_are(name: str) -> None:
    common, text = set(commands()[name].common), page(name, "--help")
    shown = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", text, re.MULTILINE))
    assert common <= options(name)
    assert shown == common
    assert text.endswith(f"options, and more examples: {name} --help-all\n")
    assert "--help-all  " in page(name, "--help-all")


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("clf-train", "Examples Commands Arguments Data Network Training Augmentation Output Options"),
        ("clf-check", "Examples Arguments Data"),
        ("clf-bench", "Examples Arguments"),
        ("clf-run", "Examples Commands Arguments Sources"),
        ("clf-export", "Examples Commands Arguments"),
    ],
)
def test_options_are_in_sections(name: str, sections: str) -> None:
    expected = sections.split()
    assert headings(page(name, "--help-all"))[: len(expected)] == expected


@pytest.mark.parametrize(("name", "sub_command"), [("clf-train", "evaluate"), ("clf-run", "undo"), ("clf-export", "check")])
def test_sub_commands_are_listed(name: str, sub_command: str) -> None:
    for option in ("--help", "--help-all"):
        assert re.search(rf"^Commands:\n  {sub_command}  \w", page(name, option), re.MULTILINE)


@pytest.mark.parametrize("name", ["clf-train", "clf-run", "clf-export"])
def test_completion_can_be_installed_with_every_main_command(name: str) -> None:
    assert {"--install-completion", "--show-completion"} <= set(re.findall(r"--[\w-]+", page(name, "--help-all")))


def test_defaults_and_choices_are_shown() -> None:
    text = re.sub(r"\s+", " ", page("clf-train", "--help-all"))
    for shown in (
        "--fit stretch|crop|pad How to fit other aspect ratios. [default: stretch]",
        "--epochs N Maximum number of epochs. [default: 4 of fine-tuning]",
        "--recipe boolean|intro|dogs-vs-cats|homer-bart|elephants-cars",
        "--resize shrink|bilinear|nearest|area|...",
    ):
        assert shown in text
