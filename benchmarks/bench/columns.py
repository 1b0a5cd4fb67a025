"""What `clf-bench` found, as columns of text: the terminal, the Markdown and the page show the same cells.

Rows stand in the order of the report, a reference that is not one of them behind them. A column that has nothing to tell,
as memory on a system that does not tell, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from edgeclf.benchmarks.bench.report import Accuracy, ColdStart, Reference, Report, Row

Columns = dict[str, list[str]]
"""Cells by header; all columns are of one length."""
WORDS = ("file", "engine", "device", "verdict")
"""Headers of the columns that hold words; all others hold numbers."""


def names(rows: Sequence[Row]) -> Columns:
    """The rows' files, and that in which their arrangements differ."""
    return {"file": [row.name for row in rows], **_arrangements(rows, differing=True)}


def labels(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The same as pairs of texts: `("model.onnx", "batch 8, 2 threads")`, or `("model.onnx", "")`."""
    arrangements = _arrangements(rows, differing=True)
    spelt = [_spelt({header: cells[place] for header, cells in arrangements.items()}) for place in range(len(rows))]
    return [(row.name, words) for row, words in zip(rows, spelt, strict=True)]


def in_common(rows: Sequence[Row]) -> str:
    """That in which the arrangements do not differ: `cpu, batch 1`; empty where that is nothing."""
    return _spelt({header: cells[0] for header, cells in _arrangements(rows, differing=False).items()})


def speed(report: Report) -> Columns:
    """How fast, by how much, and what to make of it."""
    rows = report.rows
    return _telling(
        names(rows),
        {
            "images/s": [number(row.rate) for row in rows],
            "times as fast": ["1", *(str(row.ratio) for row in rows[1:])],
            "of the limit": [f"{row.of_limit.middle:.0%}" if row.of_limit else "" for row in rows],
            "p50 ms": [number(row.latency.p50_ms) for row in rows],
            "p90 ms": [number(row.latency.p90_ms) for row in rows],
            "p99 ms": [number(row.latency.p99_ms) for row in rows],
            "verdict": [_verdict(report, place) for place in range(len(rows))],
        },
    )


def answers(report: Report) -> Columns:
    """How well, and how much otherwise than the reference; nothing where no image has a label."""
    found = [subject.accuracy for subject in _subjects(report)]
    if not any(found):
        return {}
    return _telling(
        _names_with_reference(report),
        {
            "accuracy": [f"{each.share:.2%}" if each else "" for each in found],
            "95 % interval": [_interval(each) if each else "" for each in found],
            "same answer": [f"{each.agreement:.2%}" if each else "" for each in found],
            "largest difference": [_difference(each) if each else "" for each in found],
        },
    )


def cost(report: Report) -> Columns:
    """What it takes, and how long until the first answer."""
    subjects = _subjects(report)
    starts = [subject.cold_start for subject in subjects]
    return _telling(
        _names_with_reference(report),
        {
            "size": [size(subject.size_bytes) for subject in subjects],
            "peak memory": [size(subject.memory_bytes) for subject in subjects],
            "cold start": [f"{number(start.seconds)} s" if start else "" for start in starts],
            "its CPU time": [f"{number(start.cpu_seconds)} s" if start else "" for start in starts],
            "its memory": [size(start.memory_bytes) if start else "" for start in starts],
        },
    )


def by_round(report: Report) -> Columns:
    """Images a second in every round, and then the machine's limit in every round."""
    rounds = zip_longest(*(row.rates for row in report.rows))
    limits = zip_longest(*(row.limits for row in report.rows))
    return _telling(
        names(report.rows),
        {f"round {count}": [number(rate) if rate else "" for rate in rates] for count, rates in enumerate(rounds, 1)},
        {f"limit {count}": [number(rate) if rate else "" for rate in rates] for count, rates in enumerate(limits, 1)},
    )


def reference_apart(report: Report) -> Reference | None:
    """The reference where it is none of the rows, as a Keras model is not."""
    known = {row.name for row in report.rows}
    return report.reference if report.reference and report.reference.name not in known else None


def number(value: float) -> str:
    """Three digits, or all of those before the point; never a power of ten.

    >>> [number(value) for value in (0.0312, 4.5, 98.76, 99.96, 12345.6)]
    ['0.0312', '4.50', '98.8', '100', '12,346']
    """
    return f"{value:#.3g}" if value < 99.95 else f"{value:,.0f}"


def size(count: int | None) -> str:
    """Of so many bytes; nothing where that is not known.

    >>> size(25_769_803_776)
    '25.8 GB'
    """
    if count is None:
        return ""
    return f"{number(count / 1e9)} GB" if count >= 1e9 else f"{number(count / 1e6)} MB"


@dataclass(frozen=True)
class _Subject:
    """That which a row and a reference have in common."""

    accuracy: Accuracy | None
    size_bytes: int
    memory_bytes: int | None
    cold_start: ColdStart | None


def _subjects(report: Report) -> list[_Subject]:
    """The rows, and the reference where it is none of them."""
    found = [_Subject(row.accuracy, row.size_bytes, row.memory_bytes, row.cold_start) for row in report.rows]
    if reference := reference_apart(report):
        found.append(_Subject(reference.accuracy, reference.size_bytes, None, reference.cold_start))
    return found


def _telling(columns: Columns, *others: Columns) -> Columns:
    """All of them together, without those that are empty from top to bottom."""
    every = {header: cells for each in (columns, *others) for header, cells in each.items()}
    return {header: cells for header, cells in every.items() if any(cells)}


def _names_with_reference(report: Report) -> Columns:
    columns = names(report.rows)
    if reference := reference_apart(report):
        columns = {header: [*cells, ""] for header, cells in columns.items()}
        columns["file"][-1] = reference.name
    return columns


def _arrangements(rows: Sequence[Row], *, differing: bool) -> Columns:
    """Those parts of the arrangement in which the rows differ, or those in which they do not.

    An engine belongs to its file, and is told only where one file ran in several; so is whether a batch was asked for, only
    where some were and some were not.
    """
    mixed = len({row.auto_batch for row in rows}) > 1
    columns = {
        "device": [row.device for row in rows],
        "batch": [f"{row.batch} (auto)" if mixed and row.auto_batch else str(row.batch) for row in rows],
        "threads": [str(row.threads) for row in rows],
    }
    if len({(row.name, row.engine) for row in rows}) > len({row.name for row in rows}):
        columns = {"engine": [row.engine for row in rows], **columns}
    return {header: cells for header, cells in columns.items() if (len(set(cells)) > 1) is differing}


def _spelt(arrangement: dict[str, str]) -> str:
    """As `Row.arrangement` does."""
    spelt = {"batch": "batch {}", "threads": "1 thread" if arrangement.get("threads") == "1" else "{} threads"}
    return ", ".join(spelt.get(header, "{}").format(cell) for header, cell in arrangement.items())


def _interval(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{low:.1%} to {high:.1%}"


def _difference(accuracy: Accuracy) -> str:
    return f"{accuracy.max_difference:.1e}" if accuracy.max_difference else "0"


def _verdict(report: Report, place: int) -> str:
    if place == report.ship:
        return "ship"
    return "best" if report.rows[place].best else ""
