"""The files that a run of `clf-bench` leaves: for a later run, for a CI job's summary, and for people."""

import json
from pathlib import Path

from edgeclf.benchmarks.bench.page import page
from edgeclf.benchmarks.bench.report import Report
from edgeclf.benchmarks.bench.table import markdown
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes, publish_text
from edgeclf.runtime.terminal.console import note


def write(report: Report, folder: Path, command: str = "") -> tuple[Path, ...]:
    """Write `bench.json`, `bench.md`, `bench.html` and `pareto.png` to `folder`; without matplotlib, a note and no figure.

    command: what was typed, for the page. Raises OutputError.
    """
    make_folder(folder)
    figure = _figure(report)
    texts = {
        "bench.json": json.dumps(report.to_json(), indent=1) + "\n",
        "bench.md": markdown(report),
        "bench.html": page(report, figure, command),
    }
    for name, text in texts.items():
        publish_text(folder / name, text)
    if figure:
        publish_bytes(folder / "pareto.png", figure)
    names = (*texts, "pareto.png") if figure else texts
    return tuple(folder / name for name in names)


def _figure(report: Report) -> bytes | None:
    try:
        from edgeclf.benchmarks.bench.plot import pareto
        from edgeclf.train.results.drawing import png
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        note("no plot: matplotlib is not installed; add it with pip install 'edgeclf[bench]'")
        return None
    return png(pareto(report))
