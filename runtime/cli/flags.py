"""A command's flags as frozen dataclasses: what belongs together is declared, handed on and shown in the help together."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from typing import Any, get_type_hints

from typer.core import TyperCommand

Parameter = inspect.Parameter


def takes(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take the fields of dataclasses as flags: `@takes(live=LiveFlags)` for its parameter `live: LiveFlags`.

    Each field is annotated as a parameter of the command would be: `Annotated[int, typer.Option(help=...)] = 1`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name not in groups]
        flags = [flag for group in groups.values() for flag in _flags(group)]

        @wraps(command)
        def run(**given: Any) -> None:
            taken = {
                name: group(**{one.name: given.pop(one.name) for one in fields(group)}) for name, group in groups.items()
            }
            command(**given, **taken)

        run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in [*own, *flags]}
        return run

    return decorate


def _flags(group: type) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    defaults = {one.name: Parameter.empty if one.default is MISSING else one.default for one in fields(group)}
    return [Parameter(name, Parameter.KEYWORD_ONLY, default=each, annotation=hints[name]) for name, each in defaults.items()]


class SectionedCommand(TyperCommand):
    """Shows options in sections, by the `rich_help_panel` that each has; those without one come first."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)
