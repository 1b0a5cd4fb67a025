"""The typer classes behind every command: help in sections, one-line errors, sub-commands, values that may be left out."""

import os
from collections.abc import Callable
from typing import Any

import typer
import typer.core

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import close_to
from edgeclf.runtime.terminal import help as help_page
from edgeclf.runtime.terminal.completion import TYPED, teach, teach_shell
from edgeclf.runtime.terminal.usage import MistakeError, UsageError, as_sentence, long_option, path_of

_SHOWS_ALL = "edgeclf.help_all"


class OneLineErrors:
    """A command whose usage errors are one sentence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            if ctx.parent is None and not ctx.resilient_parsing and teach_shell(typed, path_of(ctx)):
                raise typer.Exit
            return super().parse_args(ctx, args)  # type: ignore[misc, no-any-return]
        except MistakeError:
            raise
        except OptionError as error:
            raise MistakeError(str(error), ctx=ctx) from None
        except UsageError as error:
            raise MistakeError(as_sentence(error, ctx, typed), ctx=ctx) from None


class SectionedCommand(OneLineErrors, typer.core.TyperCommand):
    """Shows options in sections, by the `rich_help_panel` of each, and lists the sub-commands beside the default command.

    An option whose metavar is in brackets, such as `[ADDRESS]`, may be given without a value; its value is then `""`.
    """

    common: tuple[str, ...] = ()
    """The options that `--help` shows; `--help-all` shows the others, too. Empty: all of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_SHOWS_ALL] = "--help-all" in args
        if not ctx.resilient_parsing and (mistake := long_option(args, ctx)):
            raise MistakeError(mistake, ctx=ctx)
        optional = {name for one in self.get_params(ctx) if _value_is_optional(one) for name in one.opts}
        return super().parse_args(ctx, [_complete(args, place, optional) for place in range(len(args))])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`DATA` instead of `{data}`."""
        return [piece.replace("{", "").replace("}", "").upper() for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        help_page.write_examples(formatter, self.epilog)
        parameters, is_short = self._all_params(ctx), self._is_short(ctx)
        if is_short:
            formatter.write("\n")
            parameters = [one for one in parameters if help_page.is_common(one, self.common)]
        help_page.write_sections(formatter, ctx, _sub_commands(ctx), parameters, is_dense=is_short)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self._is_short(ctx):
            count = sum(one.param_type_name == "option" for one in self._all_params(ctx))
            formatter.write(f"\nAll {count} options, and more examples: {path_of(ctx)} --help-all\n")
        else:
            help_page.write_rest(formatter, self.epilog)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        found = super().shell_complete(ctx, incomplete)
        if ctx.meta.get(TYPED) == ():
            item = type(super().shell_complete(ctx, "-")[0])  # typer has no public name for it
            names = [name for one in _of_the_group(ctx) for name in one.opts]
            found += [item(name) for name in names if incomplete and name.startswith(incomplete)]
        return found

    def _is_short(self, ctx: Any) -> bool:
        return bool(self.common) and not ctx.meta.get(_SHOWS_ALL)

    def _all_params(self, ctx: Any) -> list[Any]:
        return [*self.get_params(ctx), *_of_the_group(ctx)]


class DefaultGroup(OneLineErrors, typer.core.TyperGroup):
    """`clf-train photos/` means `clf-train train photos/`; help and errors do not show the `train` that was left out."""

    default: str
    own: tuple[Any, ...] = ()
    """--install-completion and --show-completion."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self.own = self.own or tuple(self.params)
        own = {name for one in self.own for name in one.opts}
        ctx.meta[TYPED] = tuple(args)
        if not ctx.resilient_parsing:
            self._refuse_misspelt(ctx, args)
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

    def _refuse_misspelt(self, ctx: Any, args: list[str]) -> None:
        """Raise MistakeError for `clf-train evalute`, which would be taken for a folder that does not exist."""
        word = args[0] if args and args[0].isalpha() else ""
        if word in self.commands or os.path.lexists(word):
            return
        close = close_to(word, [name for name in self.commands if name != self.default], least=0.75)
        if word and close:
            raise MistakeError(f"there is no command or file {word!r}; did you mean {ctx.info_name} {close[0]}?", ctx=ctx)


class CommandApp(typer.Typer):
    """A `typer.Typer` whose commands are `SectionedCommand`s."""

    def command(
        self, name: str | None = None, *, cls: Any = SectionedCommand, common: str = "", **settings: Any
    ) -> Callable[[Any], Any]:
        """common: the flags that `--help` shows, separated by spaces; by default all."""
        kind = type(cls.__name__, (cls,), {"common": tuple(common.split())}) if common else cls
        register = super().command(name, cls=kind, **settings)

        def decorate(function: Any) -> Any:
            teach(function)
            return register(function)

        return decorate


def _value_is_optional(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and (parameter.metavar or "").startswith("[")


def _complete(args: list[str], place: int, optional: set[str]) -> str:
    """The argument at `place`; `--ray=` for a `--ray` that no value follows."""
    is_alone = args[place] in optional and (place + 1 == len(args) or args[place + 1].startswith("-"))
    return f"{args[place]}=" if is_alone and "--" not in args[:place] else args[place]


def _of_the_group(ctx: Any) -> list[Any]:
    """The options that a group takes instead of a command, if `ctx` is of its default command."""
    group = ctx.parent.command if ctx.parent else None
    return list(group.own) if isinstance(group, DefaultGroup) and ctx.command is group.commands[group.default] else []


def _sub_commands(ctx: Any) -> list[tuple[str, str]]:
    """Names and first sentences of the commands beside the default one, if `ctx` is of that one."""
    group = ctx.parent.command if ctx.parent else None
    if not isinstance(group, DefaultGroup) or ctx.command is not group.commands[group.default]:
        return []
    others = [(name, command) for name, command in group.commands.items() if name != group.default]
    return [(name, command.get_short_help_str(200)) for name, command in others]
