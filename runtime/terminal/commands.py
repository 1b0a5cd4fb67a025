"""The typer classes behind every command: how its help reads, its sub-commands, options whose value may be left out."""

import re
from typing import Any

import typer
import typer.core

_TYPE_NAME = re.compile(r" <(?:list\[)?(\w+)(?: range)?\]?>")
_DEFAULT = re.compile(r"\[default: \((.+?)\)(?=[;\]])")
_PLACEHOLDERS = {"str": "TEXT", "int": "N", "float": "NUMBER", "path": "PATH", "file": "FILE", "directory": "DIR"}


class SectionedCommand(typer.core.TyperCommand):
    """Shows options in sections, by the `rich_help_panel` of each, and lists the sub-commands beside the default command.

    An option whose metavar is in brackets, such as `[ADDRESS]`, may be given without a value; its value is then `""`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        optional = {name for one in self.get_params(ctx) if _value_is_optional(one) for name in one.opts}
        return super().parse_args(ctx, [_complete(args, place, optional) for place in range(len(args))])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Commands": _sub_commands(ctx), "Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                title = getattr(parameter, "rich_help_panel", None) or usual
                sections.setdefault(title, []).append((_plain_term(parameter, record[0]), _plain_default(record[1])))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class DefaultGroup(typer.core.TyperGroup):
    """`clf-train photos/` means `clf-train train photos/`; help and errors do not show the `train` that was left out."""

    default: str

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {name for one in self.params for name in one.opts}  # --install-completion and --show-completion
        if not args or args[0] not in {*self.commands, *own}:
            args = [self.default, *args]
        if args[0] in self.commands:  # to see that no other option is given, typer imports pydantic: half the time of --help
            self.params, self.add_help_option = [], False
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name == self.default:
            name, ctx.info_name = ctx.info_name, ""
        return name, command, rest


class CommandApp(typer.Typer):
    """A `typer.Typer` whose commands are `SectionedCommand`s."""

    def command(self, name: str | None = None, *, cls: Any = SectionedCommand, **settings: Any) -> Any:
        return super().command(name, cls=cls, **settings)


def _value_is_optional(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and (parameter.metavar or "").startswith("[")


def _complete(args: list[str], place: int, optional: set[str]) -> str:
    """The argument at `place`; `--ray=` for a `--ray` that no value follows."""
    is_alone = args[place] in optional and (place + 1 == len(args) or args[place + 1].startswith("-"))
    return f"{args[place]}=" if is_alone and "--" not in args[:place] else args[place]


def _sub_commands(ctx: Any) -> list[tuple[str, str]]:
    """Names and first sentences of the commands beside the default one, if `ctx` is of that one."""
    group = ctx.parent.command if ctx.parent else None
    if not isinstance(group, DefaultGroup) or ctx.command is not group.commands[group.default]:
        return []
    others = [(name, command) for name, command in group.commands.items() if name != group.default]
    return [(name, command.get_short_help_str(200)) for name, command in others]


def _plain_term(parameter: Any, term: str) -> str:
    """`--topk <int range>` as `--topk N`, and `model <path>` as `model`: users do not know the names of Python's types."""
    is_argument = parameter.param_type_name == "argument"
    return _TYPE_NAME.sub(lambda match: "" if is_argument else f" {_PLACEHOLDERS.get(match[1], 'VALUE')}", term)


def _plain_default(text: str) -> str:
    """`[default: (measured)]` as `[default: measured]`."""
    return _DEFAULT.sub(r"[default: \1", text)
