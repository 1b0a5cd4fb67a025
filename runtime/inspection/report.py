"""Rows for a reader: a label, a value, and how it is to be seen. What comes from a file is escaped here, and only here."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgeclf.runtime.terminal.escaping import escape

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
"""Rows that belong together; a blank line follows."""


def print_sections(sections: Iterable[Section]) -> None:
    """On stdout. A terminal gets long values folded under their beginning, a pipe gets them whole."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = console.width - _LABEL_WIDTH if sys.stdout.isatty() else _SHOWN_CHARACTERS * 2
    for number, section in enumerate(filter(None, sections)):
        if number:
            console.print()
        for row in section:
            value = Text(_shorten(escape(row.value)), _STYLES[row.style])
            for line, part in enumerate(value.wrap(console, max(20, width))):
                label = "" if line else row.label
                console.print(Text(label.ljust(_LABEL_WIDTH), "bold"), part, sep="", soft_wrap=True)


def several(names: Iterable[str], separator: str = ", ") -> str:
    """The first few, and how many more there are."""
    every = list(names)
    more = f"{separator}and {len(every) - _SHOWN_NAMES:,} more" if len(every) > _SHOWN_NAMES else ""
    return separator.join(every[:_SHOWN_NAMES]) + more


def counted(counts: dict[str, int], noun: str) -> str:
    """`37 nodes: 12 Conv, 10 Relu`."""
    return f"{sum(counts.values()):,} {noun}: " + several(f"{count:,} {name}" for name, count in counts.items())


def size(count: int | None) -> str:
    """Bytes in the unit that fits."""
    if count is None:
        return "unknown"
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if count >= 1000**power:
            return f"{count / 1000**power:.3g} {unit}"
    return f"{count} bytes"


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " ..."
