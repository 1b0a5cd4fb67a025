"""What a shell offers when Tab is pressed: choices are taken from the metavar that the help shows, so they are written once.

In `stretch|crop|pad` and `auto|cuda[:N]`, the words in lower case are choices. With `,...` at the end, they are for a list.
In `imagenet|none|FILE`, they are offered beside files.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, get_args

import typer
from typer import Context
from typer.models import ArgumentInfo, OptionInfo

from edgeclf.runtime.spelling import require_choice
from edgeclf.runtime.terminal.streams import data_stream

_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_OPTIONAL_PART = re.compile(r"\[.*?\]")
_SPECIAL = re.compile(r"([^\w./@%+,:=~-])")
TYPED = "edgeclf.typed"
"""Where a context's `meta` has the words before the one that is completed."""


def teach(command: Callable[..., Any]) -> None:
    """Let the parameters of a command offer the choices in their metavars, and the first argument the sub-commands."""
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        for info in get_args(parameter.annotation)[1:]:
            if isinstance(info, ArgumentInfo) and info.autocompletion is None:
                info.autocompletion = _sub_commands
            elif isinstance(info, OptionInfo) and info.autocompletion is None and info.metavar:
                info.autocompletion = _offering(info.metavar)


def offer(words: Iterable[str]) -> Callable[[str], list[str]]:
    """The `autocompletion` of an option with more choices than its metavar can show."""
    names = list(words)

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def choices(metavar: str) -> list[str]:
    """The words that a metavar lists.

    >>> choices("auto|cpu|cuda[:N]"), choices("onnx|tflite,..."), choices("N|all"), choices("WIDTHxHEIGHT")
    (['auto', 'cpu', 'cuda'], ['onnx', 'tflite'], ['all'], [])
    """
    if "|" not in metavar or metavar.startswith("["):
        return []
    return [word for word in _OPTIONAL_PART.sub("", metavar).removesuffix(",...").split("|") if not re.search("[A-Z]", word)]


def join_split_words(environment: MutableMapping[str, str]) -> None:
    """Bash takes `--device=cu` for three words; let it be `--device cu`, which is completed."""
    words = environment.get("COMP_WORDS", "").split("\n")
    current = environment.get("COMP_CWORD", "")
    if "=" not in words or not current.isdecimal():
        return
    kept = [word for place, word in enumerate(words) if word != "=" or place == int(current)]
    environment["COMP_CWORD"] = str(int(current) - words[: int(current)].count("="))
    environment["COMP_WORDS"] = "\n".join(kept)


def teach_shell(args: list[str], program: str) -> bool:
    """Do what `--show-completion zsh` or `--install-completion zsh` asks for; False if the line does not begin so.

    Typer itself guesses the shell, and ignores the one that is named. Raises OptionError for an unknown shell.
    """
    if len(args) < 2 or args[0] not in ("--show-completion", "--install-completion"):
        return False
    from typer.completion import get_completion_script, install  # type: ignore[attr-defined]

    flag, shell = args[:2]
    require_choice(flag, shell, _SHELLS)
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    if flag == "--show-completion":
        typer.echo(get_completion_script(prog_name=program, complete_var=variable, shell=shell), file=data_stream())
    else:
        typer.echo(f"written to {install(shell, program, variable)[1]}; open a new terminal to use it", err=True)
    return True


def _offering(metavar: str) -> Callable[[str], list[str]] | None:
    words = choices(metavar)
    if not words:
        return None

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",") if metavar.endswith(",...") else ("", "", incomplete)
        found = [before + comma + word for word in words if word.startswith(last)]
        return found + _paths(incomplete) if metavar.endswith(("FILE", "DIR")) else found

    return complete


def _sub_commands(ctx: Context, incomplete: str) -> list[str]:
    """Sub-commands and files, where the first word may be one or the other. Otherwise nothing: the shell offers files."""
    group = ctx.parent.command if ctx.parent else None
    if group is None or ctx.meta.get(TYPED) != ():
        return []
    names = [name for name in getattr(group, "commands", {}) if name.startswith(incomplete) and name != group.default]  # type: ignore[attr-defined]
    return names + _paths(incomplete) if names else []


def _paths(incomplete: str) -> list[str]:
    folder, name = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(Path(folder or ".").expanduser()), key=lambda entry: entry.name)
    except OSError:
        return []
    found = [entry for entry in entries if entry.name.startswith(name) and (name or not entry.name.startswith("."))]
    return [_quoted(os.path.join(folder, entry.name + "/" * entry.is_dir())) for entry in found]


def _quoted(path: str) -> str:
    """Zsh quotes what it inserts, and the other shells do not."""
    is_zsh = any(value == "complete_zsh" for name, value in os.environ.items() if name.endswith("_COMPLETE"))
    return path if is_zsh else _SPECIAL.sub(r"\\\1", path)
