"""The results of `clf-bench` for a terminal, and as Markdown for the summary of a CI job or a README."""

import re

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgeclf.benchmarks.bench.columns import TEXT_COLUMNS, Columns, accuracy_columns, cost_columns, speed_columns
from edgeclf.benchmarks.bench.notes import conditions, notes
from edgeclf.benchmarks.bench.report import Report
from edgeclf.benchmarks.results import table
from edgeclf.runtime.terminal.console import note, stderr_console
from edgeclf.runtime.terminal.escaping import escape

_NOT_ON_A_TERMINAL = ("p90 ms", "cold-start CPU", "cold-start memory")
"""Columns that a terminal has no room for."""
_OPTIONAL = ("95 % interval", "largest difference", "p99 ms", "p50 ms")
"""Columns to leave out, in this order, until the table fits."""


def show(report: Report) -> None:
    """Print to stderr: accuracy and cost, speed, the notes, the missed gates, and last the recommendation."""
    console = stderr_console()
    for columns in (accuracy_columns(report) | cost_columns(report), speed_columns(report)):
        console.print(_fitting(columns, report, console))
        console.print()
    for sentence in (conditions(report), str(report.machine), report.images, *notes(report)):
        note(sentence)
    for miss in report.misses:
        note(f"gate missed: {miss}")
    note(report.because)


def markdown(report: Report) -> str:
    """The same, with the recommendation first."""
    tables = (speed_columns(report), accuracy_columns(report), cost_columns(report))
    misses = "".join(f"- gate missed: {_plain(miss)}\n" for miss in report.misses)
    facts = [conditions(report), str(report.machine), report.images, *notes(report)]
    return "\n".join(
        [
            f"## clf-bench\n\n**{_plain(report.because)}**\n",
            *([misses] if misses else []),
            *(_markdown_table(columns, report.ship) for columns in tables if columns),
            "".join(f"- {_plain(sentence)}\n" for sentence in facts),
        ]
    )


def _fitting(columns: Columns, report: Report, console: Console) -> Table:
    """The table with as many columns as fit."""
    left_out = list(_NOT_ON_A_TERMINAL)
    for header in ("", *_OPTIONAL):
        left_out.append(header)
        made = _table({header: cells for header, cells in columns.items() if header not in left_out}, report)
        if console.measure(made, options=console.options.update(width=10_000)).maximum <= console.width:
            break
    return made


def _table(columns: Columns, report: Report) -> Table:
    made = Table(box=None, pad_edge=False)
    for header in columns:
        words = header in TEXT_COLUMNS
        heading = "\n".join(header.rsplit(" ", 1))
        made.add_column(heading, justify="left" if words else "right", no_wrap=header != "file", overflow="fold")
    for index, row in enumerate(zip(*columns.values(), strict=True)):
        made.add_row(*(Text(escape(cell)) for cell in row), style=_style(report, index))
    return made


def _style(report: Report, index: int) -> str:
    if index == report.ship:
        return "bold green"
    return "green" if index < len(report.results) and report.results[index].best else ""


def _markdown_table(columns: Columns, ship: int | None) -> str:
    rows = [[_plain(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    if ship is not None:
        rows[ship][0] = f"**{rows[ship][0]}**"
    return table(list(columns), rows)


def _plain(text: str) -> str:
    """Text from anywhere, escaped so that it prints and is not read as markup. An underscore inside a word is left alone."""
    return re.sub(r"[\\`*\[\]<>|~&#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", escape(text))
