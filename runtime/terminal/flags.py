"""Command-line flags that are declared once, on the dataclass that the library takes."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_type_hints

from typer.models import OptionInfo

from edgeclf.runtime.terminal.console import friendly_errors

Parameter = inspect.Parameter


@dataclass(frozen=True)
class Text:
    """Marks a field whose flag is typed as text: `parse(text)` is the field's value.

    `Annotated[float | None, Text(parse_seconds), typer.Option(help="...")] = None`
    """

    parse: Callable[[str], object]


def takes(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take the fields of dataclasses as flags: `@takes(live=LiveOptions)` for `live: LiveOptions`.

    Annotate each field as a parameter of the command would be: `Annotated[int, typer.Option(help=...)] = 1`, with `Text`
    where the value has to be parsed. A `tuple[X, ...]` is a flag that may be repeated. A field whose type is such a
    dataclass stands for the flags of that one. Help shows the groups before the command's own options. Errors raised by a
    parser, by a dataclass or by the command end as `friendly_errors` says.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name not in groups]
        arguments = [one for one in own if one.kind is not Parameter.KEYWORD_ONLY]
        flags = [flag for group in groups.values() for flag in _parameters(group)]
        parameters = [*arguments, *flags, *own[len(arguments) :]]

        @wraps(command)
        def run(**given: Any) -> None:
            with friendly_errors():
                built = {name: _build(group, given) for name, group in groups.items()}
                command(**{one.name: given[one.name] for one in own}, **built)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def flags_given(group: Any) -> Iterator[tuple[str, str]]:
    """Name and flag of each field that does not have its default; for one in a nested dataclass, the outer field's name."""
    hints = get_type_hints(type(group), include_extras=True)
    for one in fields(group):
        value = getattr(group, one.name)
        if _is_group(one):
            yield from ((one.name, flag) for _, flag in flags_given(value))
        elif value != one.default:
            yield one.name, _flag(one.name, hints[one.name])


def _flag(name: str, hint: Any) -> str:
    option = next(extra for extra in hint.__metadata__ if isinstance(extra, OptionInfo))
    # In Annotated, typer.Option takes its first name for a default value.
    declared = map(str, (option.default, *(option.param_decls or ())))
    return next((text for text in declared if text.startswith("--")), f"--{name.replace('_', '-')}")


def _parameters(group: type) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for one in fields(group):
        if _is_group(one):
            yield from _parameters(one.type)  # type: ignore[arg-type]
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


def _is_group(one: Field[Any]) -> bool:
    return isinstance(one.type, type) and is_dataclass(one.type)


def _with_type(hint: Any, kind: Any) -> Any:
    return Annotated[kind, *(extra for extra in hint.__metadata__ if not isinstance(extra, Text))]


def _build(group: type, given: dict[str, Any]) -> Any:
    """The dataclass, made from what was typed. Raises whatever a parser or the dataclass itself raises."""
    hints = get_type_hints(group, include_extras=True)
    values = {}
    for one in fields(group):
        if _is_group(one):
            values[one.name] = _build(one.type, given)  # type: ignore[arg-type]
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
