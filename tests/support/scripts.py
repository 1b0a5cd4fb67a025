"""The commands that the project installs."""

import importlib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import typer

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
SCRIPTS: dict[str, str] = tomllib.loads(_PROJECT.read_text("utf-8"))["project"]["scripts"]
"""By name: the module and the function that it calls, as `module:function`."""


def app_of(name: str) -> typer.Typer:
    """The typer app of a command."""
    return importlib.import_module(SCRIPTS[name].partition(":")[0]).app  # type: ignore[no-any-return]


@cache
def commands() -> dict[str, Any]:
    """Every command and sub-command by what is typed; a command's own name stands for its default sub-command, too."""
    found = {}
    for name in SCRIPTS:
        command = typer.main.get_command(app_of(name))
        if hasattr(command, "commands"):
            found |= {f"{name} {sub_name}": sub for sub_name, sub in command.commands.items()}
            command = command.commands[command.default]
        found[name] = command
    return found
