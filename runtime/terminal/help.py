"""How the help of every command reads: two examples first, then sections; `--help` is one screen, `--help-all` is all."""

import re
from collections.abc import Collection
from typing import Any

HELP_NAMES = ["-h", "--help", "--help-all"]
_TYPE_NAME = re.compile(r" <(?:list\[)?(\w+)(?: range)?\]?>")
_DEFAULT = re.compile(r"\[default: \((.+?)\)(?=[;\]])")
_AT_LEAST = re.compile(r"; x>=[01](?:\.0)?(?=\])|  \[x>=[01](?:\.0)?\]")
_PLACEHOLDERS = {"str": "TEXT", "int": "N", "float": "NUMBER", "path": "PATH", "file": "FILE", "directory": "DIR"}
_EXAMPLES_FIRST = 2
_Records = list[tuple[str, str]]


def write_examples(formatter: Any, epilog: str | None) -> None:
    """The first two examples."""
    _write_lines(formatter, "Examples", _examples(epilog)[:_EXAMPLES_FIRST])


def write_rest(formatter: Any, epilog: str | None) -> None:
    """The other examples, and what comes after them."""
    _write_lines(formatter, "More examples", _examples(epilog)[_EXAMPLES_FIRST:])
    for paragraph in (epilog or "").split("\n\n")[1 if _examples(epilog) else 0 :]:
        formatter.write_paragraph()
        formatter.write_text(" ".join(paragraph.split()))


def write_sections(
    formatter: Any, ctx: Any, sub_commands: _Records, parameters: list[Any], *, is_dense: bool = False
) -> None:
    """Sub-commands and arguments, and the options by the `rich_help_panel` of each. is_dense: no lines between sections."""
    sections: dict[str, _Records] = {"Commands": sub_commands, "Arguments": []}
    for parameter in parameters:
        usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
        title = getattr(parameter, "rich_help_panel", None) or usual
        sections.setdefault(title, []).extend(_records(parameter, ctx))
    for title, records in sections.items():
        if records and is_dense:
            formatter.write(f"{title}:\n")
            with formatter.indentation():
                formatter.write_dl(records)
        elif records:
            with formatter.section(title):
                formatter.write_dl(records)


def is_common(parameter: Any, common: Collection[str]) -> bool:
    """Whether the short help shows a parameter. common: flags."""
    return parameter.param_type_name == "argument" or any(name in common for name in parameter.opts)


def _records(parameter: Any, ctx: Any) -> _Records:
    if HELP_NAMES[-1] in parameter.opts:
        names = ", ".join(HELP_NAMES[:-1])
        if not getattr(ctx.command, "common", ()):
            return [(names, "Show this page and exit.")]
        return [(names, "Show the most used options and exit."), (HELP_NAMES[-1], "Show this page and exit.")]
    record = parameter.get_help_record(ctx)
    return [(_plain_term(parameter, record[0]), _plain_default(record[1]))] if record else []


def _examples(epilog: str | None) -> list[str]:
    """The lines below "Examples:" at the start of an epilog."""
    head, _, lines = (epilog or "").partition("\n\n")[0].partition("Examples:\n")
    return lines.splitlines() if not head.strip("\b\n") else []


def _write_lines(formatter: Any, title: str, lines: list[str]) -> None:
    if lines:
        formatter.write_paragraph()
        formatter.write(f"{title}:\n" + "".join(f"{line}\n" for line in lines))


def _plain_term(parameter: Any, term: str) -> str:
    """`--topk <int range>` as `--topk N`, and `model <path>` as `MODEL`: users do not know the names of Python's types."""
    is_argument = parameter.param_type_name == "argument"
    plain = _TYPE_NAME.sub(lambda match: "" if is_argument else f" {_PLACEHOLDERS.get(match[1], 'VALUE')}", term)
    return plain.upper() if is_argument else plain


def _plain_default(text: str) -> str:
    """`[default: (measured); x>=0]` as `[default: measured]`: numbers are not negative unless it is said."""
    return _DEFAULT.sub(r"[default: \1", _AT_LEAST.sub("", text))
