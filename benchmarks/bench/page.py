"""The results of `clf-bench` as one HTML page, which opens from the disk and loads nothing from elsewhere."""

from edgeclf.benchmarks.bench.columns import (
    TEXT_COLUMNS,
    Columns,
    accuracy_columns,
    cost_columns,
    round_columns,
    size,
    speed_columns,
)
from edgeclf.benchmarks.bench.notes import conditions, method, notes
from edgeclf.benchmarks.bench.report import Report
from edgeclf.runtime.version import __version__
from edgeclf.train.results import html_page
from edgeclf.train.results.html_page import bullets, capitalized, figure, pairs, paragraph, table

_STYLE = """
main { max-width: 76rem }
td { min-width: 5rem }
td:first-child { min-width: 12rem }
.number { padding-left: .5rem }
.marked td { font-weight: 600; background: var(--card) }
ul { padding-left: 1.2rem }
"""


def page(report: Report, plot_png: bytes | None, command: str = "") -> str:
    """The page, with the plot that `plot.pareto` made. command: the command line, if it is known."""
    sections = {
        "Gates missed": bullets(report.misses),
        **_plot(report, plot_png),
        "Speed": _table(_speeds(report), report),
        "Accuracy": _table(accuracy_columns(report), report),
        "Cost": _table(cost_columns(report), report),
        "Notes": bullets(notes(report)),
        "Rounds": _table(round_columns(report), report),
        "Method": "".join(map(paragraph, method(report))),
        "Environment": pairs(_environment(report, command)),
    }
    return html_page.page("clf-bench", html_page.lead(capitalized(report.because) + "."), sections, _STYLE)


def _plot(report: Report, plot_png: bytes | None) -> dict[str, str]:
    title = "Accuracy against speed" if accuracy_columns(report) else "Images per second"
    return {title: figure(plot_png, f"{title.lower()}, one mark for each row of the tables below")} if plot_png else {}


def _speeds(report: Report) -> Columns:
    """The speeds; if an interval holds 1, words say what that means."""
    columns = speed_columns(report)
    for index, result in enumerate(report.results):
        if index and round(result.ratio.low, 2) <= 1 <= round(result.ratio.high, 2):  # as they are shown
            columns["times as fast"][index] += ": no clear difference"
    return columns


def _table(columns: Columns, report: Report) -> str:
    numbers = [index for index, header in enumerate(columns) if header not in TEXT_COLUMNS]
    marked = [] if report.ship is None else [report.ship]
    return table(list(columns), list(zip(*columns.values(), strict=True)), numbers, marked)


def _environment(report: Report, command: str) -> dict[str, object]:
    machine = report.machine
    load = f"{report.load[0]:.1f} before, {report.load[1]:.1f} after" if report.load else None
    facts = {
        "images": report.images,
        "configuration": conditions(report),
        "command": command,
        "processor": machine.processor,
        "processor features": machine.features,
        "cores": f"{machine.cores_usable} usable of {machine.cores}",
        "memory": size(machine.memory_bytes),
        "load average (1 minute)": load,
        "system": f"{machine.system}, Python {machine.python}",
        "versions": {"edgeclf": __version__, **machine.packages},
    }
    return {name: fact for name, fact in facts.items() if fact}
