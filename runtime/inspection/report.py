"""Prints reports of labelled lines. This is the one place that escapes text from model files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.streams import data_stream
from edgeclf.runtime.terminal.tables import fold, open_console

Style = Literal["plain", "good", "bad", "dim"]
_STYLES: dict[Style, str] = {"plain": "", "good": "green", "bad": "bold red", "dim": "dim"}
SHOWN_NAMES = 10
_SHOWN_CHARACTERS = 500
_LONGEST_NAME = 4096
_LABEL_WIDTH = 15


@dataclass(frozen=True)
class ReportLine:
    """names: parts of the value that stay on one line although they may hold blanks: files, classes, commands."""

    label: str
    value: str
    style: Style = "plain"
    names: tuple[str, ...] = ()


Section = list[ReportLine]
"""Lines that belong together. Sections are separated by blank lines."""


def print_sections(sections: Iterable[Section]) -> None:
    """Print to stdout. On a terminal, long values go on in the next line, but no name is broken; in a pipe they do not."""
    from rich.text import Text

    console = open_console(stdout=True)
    width = max(20, console.width - _LABEL_WIDTH) if data_stream().isatty() else _SHOWN_CHARACTERS * 2
    for number, section in enumerate(filter(None, sections)):
        if number:
            console.print()
        for line in section:
            names = [escape(name) for name in line.names]
            for index, part in enumerate(fold(_shorten(escape(line.value), names), width, names)):
                label = "" if index else line.label
                text = Text.assemble((label.ljust(_LABEL_WIDTH), "bold"), (part, _STYLES[line.style]))
                console.print(text, soft_wrap=True)


def first_few(names: Iterable[str]) -> str:
    """The first names, and the number of the others."""
    every = list(names)
    more = f", and {len(every) - SHOWN_NAMES:,} more" if len(every) > SHOWN_NAMES else ""
    return ", ".join(every[:SHOWN_NAMES]) + more


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


def _shorten(text: str, names: Sequence[str]) -> str:
    """The beginning, cut between words; only a word that is too long for any path is cut itself."""
    first, *others = fold(text, _SHOWN_CHARACTERS, names)
    return f"{first[:_LONGEST_NAME]} ..." if others or len(first) > _LONGEST_NAME else first
