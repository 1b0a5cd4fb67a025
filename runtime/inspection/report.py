"""Prints reports of labelled lines. This is the one place that escapes text from model files."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgeclf.runtime.terminal.console import data_console
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.streams import data_stream

Style = Literal["plain", "good", "bad", "dim"]
_STYLES: dict[Style, str] = {"plain": "", "good": "green", "bad": "bold red", "dim": "dim"}
_SHOWN_NAMES = 10
_SHOWN_CHARACTERS = 500
_LABEL_WIDTH = 15


@dataclass(frozen=True)
class ReportLine:
    label: str
    value: str
    style: Style = "plain"


Section = list[ReportLine]
"""Lines that belong together. Sections are separated by blank lines."""


def print_sections(sections: Iterable[Section]) -> None:
    """Print to stdout. Long values are wrapped on a terminal, but not in a pipe."""
    from rich.text import Text

    console = data_console()
    width = console.width - _LABEL_WIDTH if data_stream().isatty() else _SHOWN_CHARACTERS * 2
    for number, section in enumerate(filter(None, sections)):
        if number:
            console.print()
        for line in section:
            value = Text(_shorten(escape(line.value)), _STYLES[line.style])
            for index, part in enumerate(value.wrap(console, max(20, width))):
                label = "" if index else line.label
                console.print(Text(label.ljust(_LABEL_WIDTH), "bold"), part, sep="", soft_wrap=True)


def first_few(names: Iterable[str]) -> str:
    """The first names, and the number of the others."""
    every = list(names)
    more = f", and {len(every) - _SHOWN_NAMES:,} more" if len(every) > _SHOWN_NAMES else ""
    return ", ".join(every[:_SHOWN_NAMES]) + more


def breakdown(counts: dict[str, int], noun: str) -> str:
    """`37 nodes: 12 Conv, 10 Relu`."""
    total = plural(sum(counts.values()), noun)
    return f"{total}: {first_few(f'{count:,} {name}' for name, count in counts.items())}"


def format_size(count: int | None) -> str:
    """A size in bytes, kB, MB or GB."""
    if count is None:
        return "unknown"
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if count >= 1000**power:
            return f"{count / 1000**power:.3g} {unit}"
    return f"{count} bytes"


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " ..."
