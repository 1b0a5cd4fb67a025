"""Tables for people, at any width. Names and numbers stay whole: half a file name is of no use.

If a table is wider than its terminal, the titles take two lines, then the least needed columns are left out, and in the end
rows are stacked: the name on a line, `title value` pairs below it.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgeclf.runtime.terminal.bar import terminal_width
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.streams import data_stream

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_GAP = 2
_PAIR_GAP = 3
_INDENT = 2
_MIN_SENTENCE = 24
_WIDTH_ELSEWHERE = 100
"""Columns where nobody's terminal says how many there are."""


class Cell(NamedTuple):
    """A cell with a style of its own, in rich's words, such as `bold red`."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Column:
    """One column; the first of a table holds the names of its rows.

    spare: 0 if the column is always shown; otherwise those with the highest number are left out first. quiet: whether nobody
    needs to be told that it was left out. sentence: whether its cells may be continued on the next line, at a blank.
    """

    title: str
    align: Literal["left", "right"] = "right"
    spare: int = 0
    quiet: bool = False
    sentence: bool = False


Rows = Sequence[Sequence[str | Cell]]
"""Plain text, which is escaped here. Missing cells at the end of a row are empty."""


def open_console(*, stdout: bool = False) -> "Console":
    """A rich console on stderr or stdout, which respects NO_COLOR. It is 100 columns wide if that is not a terminal."""
    from rich.console import Console

    stream = data_stream() if stdout else sys.stderr
    width = terminal_width(stream.fileno()) if stream.isatty() else _WIDTH_ELSEWHERE
    return Console(file=stream, highlight=False, width=width)


def show_table(columns: Sequence[Column], rows: Rows, styles: Sequence[str] = (), *, stdout: bool = False) -> None:
    """Print a table on stderr or stdout. styles: of the rows."""
    console = open_console(stdout=stdout)
    for line in table_lines(columns, rows, console.width, styles):
        console.print(line, soft_wrap=True)


def table_lines(columns: Sequence[Column], rows: Rows, width: int, styles: Sequence[str] = ()) -> list["Text"]:
    """The lines of a table. None is wider than `width`, unless a single name is."""
    cells = [[_cell(each) for each in row] + [Cell("")] * (len(columns) - len(row)) for row in rows]
    row_styles = [*styles, *[""] * (len(rows) - len(styles))]
    for shown in _fewer_and_fewer(columns):
        chosen, body = [columns[index] for index in shown], [[row[index] for index in shown] for row in cells]
        for heads in ([[each.title] for each in chosen], [each.title.rsplit(" ", 1) for each in chosen]):
            if widths := _widths(chosen, heads, body, width):
                left_out = [each.title for each in columns if each not in chosen and not each.quiet]
                return [*_grid(chosen, heads, body, widths, row_styles), *_note(left_out, width)]
    return [line for row, style in zip(cells, row_styles, strict=True) for line in _stacked(columns, row, style, width)]


def fold(text: str, width: int, whole: Sequence[str] = ()) -> list[str]:
    """Lines of at most `width` columns, broken at blanks. Words are never broken, nor are the names in `whole`.

    >>> fold("the file my cat.jpg is cut", 14, ["my cat.jpg"])
    ['the file', 'my cat.jpg is', 'cut']
    """
    for name in whole:
        text = text.replace(name, name.replace(" ", _HELD))
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and _wide(joined) > width:
            lines.append(word)
        else:
            lines[-1] = joined
    return [line.replace(_HELD, " ") for line in lines]


_HELD = "\ue000"
"""Stands for a blank that is part of a name. `escape` has written out all such characters that a name may contain."""


def _wide(text: str) -> int:
    """The columns that a text takes on a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def _cell(cell: str | Cell) -> Cell:
    return Cell(escape(cell)) if isinstance(cell, str) else Cell(escape(cell.text), cell.style)


def _fewer_and_fewer(columns: Sequence[Column]) -> Iterator[list[int]]:
    """The indices of all columns, then of all but the least needed, and so on."""
    shown = list(range(len(columns)))
    yield shown
    for rank in sorted({each.spare for each in columns} - {0}, reverse=True):
        shown = [index for index in shown if columns[index].spare != rank]
        yield shown


def _widths(columns: Sequence[Column], heads: list[list[str]], rows: list[list[Cell]], width: int) -> list[int]:
    """The width of every column; empty if they do not fit."""
    widths = [max(_wide(text) for text in (*head, *(row[index].text for row in rows))) for index, head in enumerate(heads)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    for index, column in enumerate(columns):
        if excess > 0 and column.sentence:
            narrower = max(widths[index] - excess, min(widths[index], _MIN_SENTENCE))
            excess -= widths[index] - narrower
            widths[index] = narrower
    return widths if excess <= 0 else []


def _grid(
    columns: Sequence[Column], heads: list[list[str]], rows: list[list[Cell]], widths: list[int], styles: list[str]
) -> list["Text"]:
    height = max(len(head) for head in heads)
    heads = [[*head, *[""] * (height - len(head))] for head in heads]
    lines = [_line(columns, [Cell(head[number]) for head in heads], widths, "bold") for number in range(height)]
    for row, style in zip(rows, styles, strict=True):
        folded = [
            fold(cell.text, wide) if column.sentence else [cell.text]
            for column, cell, wide in zip(columns, row, widths, strict=True)
        ]
        for number in range(max(len(parts) for parts in folded)):
            parts = [Cell((*parts, *[""] * number)[number], cell.style) for parts, cell in zip(folded, row, strict=True)]
            lines.append(_line(columns, parts, widths, style))
    return lines


def _line(columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int], style: str) -> "Text":
    from rich.text import Text

    line = Text(style=style)
    for number, (column, cell, wide) in enumerate(zip(columns, cells, widths, strict=True)):
        padding = " " * (wide - _wide(cell.text))
        if number:
            line.append(" " * _GAP)
        line.append(padding if column.align == "right" else "")
        line.append(cell.text, cell.style)
        line.append(padding if column.align == "left" else "")
    line.rstrip()
    return line


def _note(left_out: Sequence[str], width: int) -> list["Text"]:
    from rich.text import Text

    return [Text(line, "dim") for line in fold(f"not shown: {', '.join(left_out)}", width)] if left_out else []


def _stacked(columns: Sequence[Column], row: Sequence[Cell], style: str, width: int) -> Iterator["Text"]:
    from rich.text import Text

    yield Text.assemble((row[0].text, row[0].style), style=style)
    line = Text(style=style)
    for column, cell in zip(columns[1:], row[1:], strict=True):
        pair = f"{column.title} {cell.text}"
        if not cell.text or column.quiet:
            continue
        if line and (column.sentence or len(line) + _PAIR_GAP + _wide(pair) > width):
            yield line
            line = Text(style=style)
        if column.sentence:
            yield from (Text(" " * _INDENT + part, cell.style) for part in fold(pair, width - _INDENT))
        else:
            line.append(" " * (_PAIR_GAP if line else _INDENT) + f"{column.title} ").append(cell.text, cell.style)
    if line:
        yield line
