"""What a review of very many images costs: `python -m edgeclf.benchmarks.reviewing`. Needs playwright and a Chromium."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, note, print_data

app = command_app()

_FILTERS = {
    "label": {"label": "3"},
    "path": {"label": "", "path": "/00077"},
    "confidence": {"path": "", "low": "50", "high": "60"},
    "order by path": {"low": "", "high": "", "order": "path"},
    "none": {"order": "least"},
}
"""What is set in turn, by the name of the row in the table."""
_SET = """fields => new Promise(resolve => {
    for (const [name, value] of Object.entries(fields)) document.getElementById(name).value = value;
    const start = performance.now();
    document.getElementById('label').dispatchEvent(new Event('input', {bubbles: true}));
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
})"""
"""Milliseconds from the change until the next frame is drawn."""
_QUIET_MS = 500
_SCROLL = """new Promise(resolve => {
    const gaps = [], step = 100;
    let last = performance.now(), frames = 0;
    const next = now => {
        gaps.push(now - last);
        last = now;
        scrollBy(0, step);
        frames++ < 300 ? requestAnimationFrame(next) : resolve(gaps.slice(5).sort((one, other) => one - other));
    };
    requestAnimationFrame(next);
})"""


@app.command()
def reviewing(
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the results.")] = 100_000,
    images: Annotated[int, typer.Option(min=100, help="Different images.")] = 3_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often the page is opened.")] = 5,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors(), tempfile.TemporaryDirectory() as name:
        from edgeclf.benchmarks.many_answers import write_many_answers
        from edgeclf.benchmarks.results import publish_section, table

        folder = Path(name)
        note("writing the images and the rows ...")
        write_many_answers(folder, images=images, rows=rows)
        measured = [*measure_building(folder, rows), *measure_page(folder / "page.html", rounds)]
        text = f"{rows:,} rows over {images:,} different images of 160 x 120 pixels. Medians of {rounds} visits.\n\n"
        text += table(("", ""), measured)
        publish_section("Reviewing", "edgeclf.benchmarks.reviewing", text)
        print_data(text)


def measure_building(folder: Path, rows: int) -> list[tuple[str, str]]:
    """Building the page, again with nothing changed, and what the pipeline's decoder alone takes."""
    whole, peak_mb = _build(folder)
    again, _ = _build(folder)
    _, less_mb = _build(folder, rows // 10)
    return [
        ("building the page", f"{whole:.1f} s ({rows / whole:,.0f} images/s)"),
        ("building it again", f"{again:.1f} s"),
        ("reading and decoding alone, all cores", f"{_decoding_rate(folder):,.0f} images/s"),
        ("peak memory", f"{peak_mb:.0f} MB"),
        ("peak memory with a tenth of the rows", f"{less_mb:.0f} MB"),
    ]


def _build(folder: Path, rows: int | None = None) -> tuple[float, float]:
    """Seconds, and megabytes at the peak. rows: of the results; None for all."""
    results, page = folder / "results.csv", folder / ("page.html" if rows is None else "less.html")
    if rows is not None:
        lines = results.read_text("utf-8").splitlines(keepends=True)[: rows + 1]
        results = folder / "less.csv"
        results.write_text("".join(lines), "utf-8")
    command = [str(Path(sys.executable).with_name("clf-review")), results.name, "-o", page.name]
    script = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stderr=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *command], cwd=folder, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, int(done.stdout) / (1 << 10)


def _decoding_rate(folder: Path) -> float:
    """Images a second: the pipeline's threads on the same work, without sheets."""
    from edgeclf.runtime.cores import usable_cores
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.pipeline import ordered_map
    from edgeclf.runtime.review.thumbnails import SIDE

    prepare = Preprocess((SIDE, SIDE), fit="pad")
    paths = sorted((folder / "photos0").iterdir())
    portions = [paths[start : start + 100] for start in range(0, len(paths), 100)]
    started = time.perf_counter()
    for _ in ordered_map(lambda some: [prepare(path) for path in some], portions, usable_cores()):
        pass
    return len(paths) / (time.perf_counter() - started)


def measure_page(page: Path, rounds: int) -> list[tuple[str, str]]:
    """Opening, filtering and scrolling in Chromium."""
    from edgeclf.benchmarks.screenshots import chromium

    times: dict[str, list[float]] = {}
    with chromium() as browser:
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
            tab = context.new_page()
            started = time.perf_counter()
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("body[data-ready]")
            times.setdefault("opening, from the address to the grid", []).append(1000 * (time.perf_counter() - started))
            for name, measured in _visit(tab).items():
                times.setdefault(name, []).append(measured)
            context.close()
    return [(name, f"{sorted(values)[len(values) // 2]:,.0f} ms") for name, values in times.items()]


def _visit(tab: Any) -> dict[str, float]:
    """Milliseconds by what was measured."""
    found = {}
    for name, fields in _FILTERS.items():
        tab.wait_for_timeout(_QUIET_MS)  # the thumbnails of the last one are still being decoded
        found[f"filter: {name}"] = tab.evaluate(_SET, fields)
    tab.wait_for_timeout(_QUIET_MS)
    gaps = tab.evaluate(_SCROLL)
    found["between frames, scrolling by 100 pixels in each, median"] = gaps[len(gaps) // 2]
    found["the same, 95 of 100 are below"] = gaps[len(gaps) * 95 // 100]
    return found


if __name__ == "__main__":
    app()
