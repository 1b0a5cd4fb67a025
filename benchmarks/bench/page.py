"""What `clf-bench` found, as one HTML page that opens from the disk and loads nothing from elsewhere."""

from edgeclf.benchmarks.bench.columns import WORDS, Columns, answers, by_round, cost, size, speed
from edgeclf.benchmarks.bench.notes import conditions, method, remarks
from edgeclf.benchmarks.bench.report import Report
from edgeclf.runtime.version import __version__
from edgeclf.train.results import html_page
from edgeclf.train.results.html_page import bullets, figure, pairs, paragraph, table

_STYLE = """
main { max-width: 76rem }
td { min-width: 5rem }
td:first-child { min-width: 12rem }
.number { padding-left: .5rem }
.marked td { font-weight: 600; background: var(--card) }
ul { padding-left: 1.2rem }
"""


def page(report: Report, figure_png: bytes | None, command: str = "") -> str:
    """The page, with the figure that `plot.pareto` gave. command: what was typed, if that is known."""
    sections = {
        "Missed": bullets(report.misses),
        **_plot(report, figure_png),
        "Speed": _table(speed(report), report),
        "Answers": _table(answers(report), report),
        "Cost": _table(cost(report), report),
        "What to know": bullets(remarks(report)),
        "Round by round": _table(by_round(report), report),
        "How it was measured": "".join(map(paragraph, method(report))),
        "Circumstances": pairs(_circumstances(report, command)),
    }
    because = report.because[:1].upper() + report.because[1:] + "."
    return html_page.page("clf-bench", because, sections, _STYLE)


def _plot(report: Report, figure_png: bytes | None) -> dict[str, str]:
    title = "Accuracy against speed" if answers(report) else "Images a second"
    return {title: figure(figure_png, f"{title.lower()}, file by file, as in the tables below")} if figure_png else {}


def _table(columns: Columns, report: Report) -> str:
    numbers = [place for place, header in enumerate(columns) if header not in WORDS]
    marked = [] if report.ship is None else [report.ship]
    return table(list(columns), list(zip(*columns.values(), strict=True)), numbers, marked)


def _circumstances(report: Report, command: str) -> dict[str, object]:
    machine = report.machine
    load = f"{report.load[0]:.1f} before, {report.load[1]:.1f} after" if report.load else None
    facts = {
        "images": report.images,
        "arrangement": conditions(report),
        "command": command,
        "processor": machine.processor,
        "its features": machine.features,
        "cores": f"{machine.cores_usable} usable of {machine.cores}",
        "memory": size(machine.memory_bytes),
        "processes that wanted a core": load,
        "system": f"{machine.system}, Python {machine.python}",
        "versions": {"edgeclf": __version__, **machine.packages},
    }
    return {name: fact for name, fact in facts.items() if fact}
