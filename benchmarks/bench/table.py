"""The results of `clf-bench` for a terminal, and as Markdown for the summary of a CI job or a README."""

import re

from edgeclf.benchmarks.bench.columns import TEXT_COLUMNS, Columns, accuracy_columns, cost_columns, speed_columns
from edgeclf.benchmarks.bench.notes import conditions, notes
from edgeclf.benchmarks.bench.report import Report
from edgeclf.benchmarks.results import table
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.tables import Column, show_table

_SPARE = {
    "p90 ms": 9,
    "cold-start CPU": 9,
    "cold-start memory": 9,
    "95 % interval": 8,
    "largest difference": 7,
    "p99 ms": 6,
    "p50 ms": 5,
    "peak memory": 4,
    "same label": 3,
    "cold start": 2,
    "of the limit": 1,
}
"""Columns that a terminal may have no room for; the highest number is left out first."""
_QUIET = 9


def show(report: Report) -> None:
    """Print to stderr: accuracy and cost, speed, the notes, the missed gates, and last the recommendation."""
    styles = [_style(report, index) for index in range(len(report.results))]
    for columns in (accuracy_columns(report) | cost_columns(report), speed_columns(report)):
        show_table([_column(header) for header in columns], list(zip(*columns.values(), strict=True)), styles)
        note("")
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


def _column(header: str) -> Column:
    rank = _SPARE.get(header, 0)
    return Column(header, "left" if header in TEXT_COLUMNS else "right", rank, quiet=rank == _QUIET)


def _style(report: Report, index: int) -> str:
    if index == report.ship:
        return "bold green"
    return "green" if report.results[index].best else ""


def _markdown_table(columns: Columns, ship: int | None) -> str:
    rows = [[_plain(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    if ship is not None:
        rows[ship][0] = f"**{rows[ship][0]}**"
    return table(list(columns), rows)


def _plain(text: str) -> str:
    """Text from anywhere, escaped so that it prints and is not read as markup. An underscore inside a word is left alone."""
    return re.sub(r"[\\`*\[\]<>|~&#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", escape(text))
