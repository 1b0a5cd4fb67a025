"""What `clf-bench` found, for a terminal, and as Markdown for the summary of a CI job or a README."""

import re

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgeclf.benchmarks.bench.columns import WORDS, Columns, answers, cost, speed
from edgeclf.benchmarks.bench.notes import conditions, remarks
from edgeclf.benchmarks.bench.report import Report
from edgeclf.benchmarks.results import table
from edgeclf.runtime.terminal.console import note, stderr_console
from edgeclf.runtime.terminal.escaping import escape

_ONLY_ELSEWHERE = ("p90 ms", "its CPU time", "its memory")
"""Columns for which a terminal has no room."""
_LEAST_NEEDED = ("95 % interval", "largest difference", "p99 ms", "p50 ms")
"""Columns that give way, in this order, where names are long or arrangements differ in much."""


def show(report: Report) -> None:
    """Print to stderr: answers and cost, speed, what should be known about them, and last which one to ship and why."""
    console = stderr_console()
    for columns in (answers(report) | cost(report), speed(report)):
        console.print(_fitting(columns, report, console))
        console.print()
    for sentence in (conditions(report), str(report.machine), report.images, *remarks(report)):
        note(sentence)
    for miss in report.misses:
        note(f"missed: {miss}")
    note(report.because)


def markdown(report: Report) -> str:
    """The same, with the sentence on which one to ship first."""
    lines = [f"- {_plain(sentence)}\n" for sentence in (conditions(report), str(report.machine), report.images)]
    return "\n".join(
        [
            f"## clf-bench\n\n**{_plain(report.because)}**\n",
            *(["".join(f"- missed: {_plain(miss)}\n" for miss in report.misses)] if report.misses else []),
            *(_markdown_table(each, report.ship) for each in (speed(report), answers(report), cost(report)) if each),
            "".join([*lines, *(f"- {_plain(sentence)}\n" for sentence in remarks(report))]),
        ]
    )


def _fitting(columns: Columns, report: Report, console: Console) -> Table:
    """With as many columns as there is room for."""
    left_out = list(_ONLY_ELSEWHERE)
    for candidate in ("", *_LEAST_NEEDED):
        left_out.append(candidate)
        made = _table({header: cells for header, cells in columns.items() if header not in left_out}, report)
        if console.measure(made, options=console.options.update(width=10_000)).maximum <= console.width:
            break
    return made


def _table(columns: Columns, report: Report) -> Table:
    made = Table(box=None, pad_edge=False)
    for header in columns:
        words = header in WORDS
        heading = "\n".join(header.rsplit(" ", 1))
        made.add_column(heading, justify="left" if words else "right", no_wrap=header != "file", overflow="fold")
    for place, row in enumerate(zip(*columns.values(), strict=True)):
        made.add_row(*(Text(escape(cell)) for cell in row), style=_style(report, place))
    return made


def _style(report: Report, place: int) -> str:
    if place == report.ship:
        return "bold green"
    return "green" if place < len(report.rows) and report.rows[place].best else ""


def _markdown_table(columns: Columns, ship: int | None) -> str:
    rows = [[_plain(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    if ship is not None:
        rows[ship][0] = f"**{rows[ship][0]}**"
    return table(list(columns), rows)


def _plain(text: str) -> str:
    """Text from anywhere, spelt so that it prints and can hold no markup; an underscore inside a word is none."""
    return re.sub(r"[\\`*\[\]<>|~&#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", escape(text))
