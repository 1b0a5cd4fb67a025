"""The files that `clf-bench -o DIR` writes: for a later run, for the summary of a CI job, and for people."""

import json
from pathlib import Path

from edgeclf.benchmarks.bench.page import page
from edgeclf.benchmarks.bench.report import Report
from edgeclf.benchmarks.bench.table import markdown
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes, publish_text
from edgeclf.runtime.storage.own_files import is_json_object, refuse_foreign
from edgeclf.runtime.terminal.console import note

NAMES = ("bench.json", "bench.md", "bench.html", "pareto.png")


def check_folder(folder: Path) -> None:
    """Make the folder. Raise OutputError if that fails, or if it holds such a file and no `bench.json` of an earlier run."""
    make_folder(folder)
    is_own = is_json_object(folder / NAMES[0], "edgeclf", "results")
    for name in NAMES:
        refuse_foreign(folder / name, lambda _: is_own, "choose another folder with -o")


def write_outputs(report: Report, folder: Path, command: str = "") -> tuple[Path, ...]:
    """Write `bench.json`, `bench.md`, `bench.html` and `pareto.png`. Without matplotlib, print a note and skip the plot.

    command: the command line, for the page. Raises OutputError.
    """
    make_folder(folder)
    plot = _plot(report)
    texts = {
        "bench.json": json.dumps(report.to_json(), indent=1) + "\n",
        "bench.md": markdown(report),
        "bench.html": page(report, plot, command),
    }
    for name, text in texts.items():
        publish_text(folder / name, text)
    if plot:
        publish_bytes(folder / "pareto.png", plot)
    names = (*texts, "pareto.png") if plot else texts
    return tuple(folder / name for name in names)


def _plot(report: Report) -> bytes | None:
    try:
        from edgeclf.benchmarks.bench.plot import pareto
        from edgeclf.train.results.drawing import png
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        note("no plot: matplotlib is not installed; add it with pip install 'edgeclf[bench]'")
        return None
    return png(pareto(report))
