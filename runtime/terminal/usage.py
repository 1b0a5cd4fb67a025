"""What is wrong with a command line, as one sentence like all other errors, instead of typer's four lines."""

import os
import re
from collections.abc import Iterator
from typing import Any

import typer

from edgeclf.runtime.spelling import close_to, did_you_mean
from edgeclf.runtime.terminal.escaping import one_line

UsageError: Any = typer.BadParameter.__mro__[1]
"""Typer's own error for all that is wrong with a command line."""
_NUMBERS = (
    (re.compile(r"valid integer|valid int\b", re.IGNORECASE), "a whole number"),
    (re.compile(r"valid float|valid number", re.IGNORECASE), "a number"),
)


class MistakeError(UsageError):  # type: ignore[misc]
    """A mistake that is shown as one sentence."""

    def show(self, file: Any = None) -> None:
        show_error(self.message)


def show_error(sentence: str) -> None:
    """Print `error: ...` on stderr, in one line."""
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(one_line(sentence), err=True)


def as_sentence(error: Any, ctx: Any, args: list[str]) -> str:
    """What is wrong, with which value, and what to do. args: the words of the command line."""
    if hasattr(error, "possibilities"):
        return _no_such_option(error.option_name, ctx)
    if hasattr(error, "option_name"):
        return _wrong_use(error.option_name, ctx)
    parameter = getattr(error, "param", None)
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        return f"{_named(parameter)} is missing; see {path_of(ctx)} --help"
    if parameter is not None:
        return _wrong_value(error, parameter, args)
    left_over = re.search(r"extra argument(?:s|\(s\))? \((.*)\)", error.message)
    if left_over:
        return _left_over(left_over[1], ctx)
    return error.format_message().splitlines()[0].rstrip(".")  # type: ignore[no-any-return]


def long_option(args: list[str], ctx: Any) -> str | None:
    """The sentence for the first long option that has a single dash, which would be read as `-e` with the value `pochs`."""
    known = set(_options(ctx))
    for word in args[: args.index("--")] if "--" in args else args:
        name = word.partition("=")[0]
        if len(name) > 2 and not name.startswith("--") and f"-{name}" in known:
            return f"there is no option {name}; did you mean -{name}?"
    return None


def path_of(ctx: Any) -> str:
    """What was typed before the options: `clf-train`, or `clf-train evaluate`."""
    return " ".join(ctx.command_path.split())


def _no_such_option(name: str, ctx: Any) -> str:
    close = close_to(name, _options(ctx))
    return f"there is no option {name}; {did_you_mean(close) or f'{path_of(ctx)} --help-all lists all'}"


def _wrong_use(name: str, ctx: Any) -> str:
    parameter = next(one for one in ctx.command.get_params(ctx) if name in (*one.opts, *one.secondary_opts))
    if parameter.is_flag:
        return f"{name} takes no value; leave it out"
    return f"{name} needs a value; see {path_of(ctx)} --help-all"


def _wrong_value(error: Any, parameter: Any, args: list[str]) -> str:
    named, value = _named(parameter), _value_of(parameter, args)
    given = "" if value is None else f", not {value!r}"
    for pattern, kind in _NUMBERS:
        if pattern.search(error.message):
            return f"{named} takes {kind}{given}"
    limits = re.findall(r"(greater|less) than (or equal to )?([\d.]+)", error.message)
    if limits:
        words = {"greater": "at least" if limits[0][1] else "more than", "less": "at most" if limits[0][1] else "less than"}
        return f"{named} takes {words[limits[0][0]]} {limits[0][2]}{given}"
    return f"{named}: {error.message.splitlines()[0].rstrip('.')}"


def _value_of(parameter: Any, args: list[str]) -> str | None:
    """What was typed for an option; None if it cannot be told."""
    for place, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name in parameter.opts:
            return value if equals else next(iter(args[place + 1 :]), None)
        short = next((one for one in parameter.opts if len(one) == 2 and word.startswith(one)), None)
        if short and not word.startswith("--"):
            return word[2:]
    return None


def _left_over(words: str, ctx: Any) -> str:
    first = words.split()[0]
    name, equals, value = words.partition("=")
    close = close_to(f"--{name}", _options(ctx)) if equals else []
    if close:
        return f"{words!r} is no option; did you mean {close[0]} {value}?"
    for given in map(str, _flat(ctx.params.values())):
        if os.path.exists(f"{given} {words}"):
            return f"{given!r} and {words!r} are two arguments; put quotes around a name with a space: '{given} {words}'"
    taken = " ".join(_named(one) for one in ctx.command.get_params(ctx) if one.param_type_name == "argument")
    return f"{path_of(ctx)} takes only {taken or 'options'}, and {first!r} is left over; see {path_of(ctx)} --help"


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        yield from value if isinstance(value, list | tuple) else (value,)


def _named(parameter: Any) -> str:
    """`--epochs`, or `MODEL` for an argument."""
    if parameter.param_type_name == "argument":
        return (parameter.metavar or parameter.name).upper()  # type: ignore[no-any-return]
    return next((one for one in parameter.opts if one.startswith("--")), parameter.opts[0])  # type: ignore[no-any-return]


def _options(ctx: Any) -> list[str]:
    options = [one for one in ctx.command.get_params(ctx) if one.param_type_name == "option"]
    return [name for one in options for name in (*one.opts, *one.secondary_opts) if name.startswith("--")]
