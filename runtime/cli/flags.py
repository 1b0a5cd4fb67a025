"""Command-line flags that are declared once, on the dataclass that the library takes."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_type_hints

from typer.core import TyperCommand

from edgeclf.runtime.terminal.console import friendly_errors

Parameter = inspect.Parameter


@dataclass(frozen=True)
class Text:
    """Marks a field whose flag is typed as text: `parse(text)` is the field's value.

    `Annotated[float | None, Text(parse_seconds), typer.Option(help="...")] = None`
    """

    parse: Callable[[str], object]


def takes(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take the fields of dataclasses as flags: `@takes(live=LiveFlags)` for its parameter `live: LiveFlags`.

    Each field is annotated as a parameter of the command would be: `Annotated[int, typer.Option(help=...)] = 1`, with
    `Text` where the value has to be parsed. A `tuple[X, ...]` is a flag that may be given several times. A field whose
    type is such a dataclass stands for the flags of that one. What a dataclass refuses when it is made, and what the
    command raises, ends as `friendly_errors` says.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name not in groups]
        flags = [flag for group in groups.values() for flag in _flags(group)]

        @wraps(command)
        def run(**given: Any) -> None:
            with friendly_errors():
                taken = {name: _build(group, given) for name, group in groups.items()}
                command(**{one.name: given[one.name] for one in own}, **taken)

        run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in [*own, *flags]}
        return run

    return decorate


def _flags(group: type) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for one in fields(group):
        if is_dataclass(one.type) and isinstance(one.type, type):
            yield from _flags(one.type)
            continue
        default = Parameter.empty if one.default is MISSING else one.default
        hint, parser = hints[one.name], _parser(hints[one.name])
        if parser:
            hint = _with_type(hint, str if one.default is MISSING else str | None)
            default = Parameter.empty if one.default is MISSING else None  # the dataclass has the real one
        elif get_args(get_args(hint)[0])[1:] == (...,):  # tuple[X, ...]
            hint = _with_type(hint, list[get_args(get_args(hint)[0])[0]])  # type: ignore[misc]
            default = Parameter.empty if one.default is MISSING else list(one.default)
        yield Parameter(one.name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _with_type(hint: Any, kind: Any) -> Any:
    return Annotated[kind, *(extra for extra in hint.__metadata__ if not isinstance(extra, Text))]


def _build(group: type, given: dict[str, Any]) -> Any:
    """The dataclass of what was typed. Raises whatever a parser or the dataclass itself raises."""
    hints = get_type_hints(group, include_extras=True)
    values = {}
    for one in fields(group):
        if is_dataclass(one.type) and isinstance(one.type, type):
            values[one.name] = _build(one.type, given)
            continue
        value, parser = given[one.name], _parser(hints[one.name])
        if parser is None:
            values[one.name] = tuple(value) if isinstance(value, list) else value
        elif value is not None:
            values[one.name] = parser.parse(value)
    return group(**values)


def _parser(hint: Any) -> Text | None:
    extras = get_args(hint)[1:] if hasattr(hint, "__metadata__") else ()
    return next((extra for extra in extras if isinstance(extra, Text)), None)


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
