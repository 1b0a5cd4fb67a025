"""The results of `clf-bench` as columns of text. The terminal, the Markdown and the web page show the same cells.

Rows are in the order of the report; a reference model that was not measured for speed comes last. Empty columns are left
out, such as memory on a system that does not report it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from edgeclf.benchmarks.bench.report import Accuracy, BenchResult, ColdStart, Reference, Report
from edgeclf.runtime.terminal.plural import plural

Columns = dict[str, list[str]]
"""Cells by header. All columns have the same length."""
TEXT_COLUMNS = ("file", "engine", "device", "choice")
"""Headers of the columns that hold words; all others hold numbers."""


def name_columns(results: Sequence[BenchResult]) -> Columns:
    """The file names, and the parts of the configuration that differ between the results."""
    return {"file": [result.name for result in results], **_configurations(results, differing=True)}


def display_names(results: Sequence[BenchResult]) -> list[tuple[str, str]]:
    """The same as pairs of texts: `("model.onnx", "batch 8, 2 threads")`, or `("model.onnx", "")`."""
    columns = _configurations(results, differing=True)
    words = [_in_words({header: cells[index] for header, cells in columns.items()}) for index in range(len(results))]
    return [(result.name, each) for result, each in zip(results, words, strict=True)]


def shared_configuration(results: Sequence[BenchResult]) -> str:
    """The part of the configuration that is the same for all results, such as `cpu, batch 1`; may be empty."""
    return _in_words({header: cells[0] for header, cells in _configurations(results, differing=False).items()})


def speed_columns(report: Report) -> Columns:
    results = report.results
    return _not_empty(
        name_columns(results),
        {
            "images/s": [number(result.rate) for result in results],
            "times as fast": ["1", *(str(result.ratio) for result in results[1:])],
            "of the limit": [f"{result.of_limit.middle:.0%}" if result.of_limit else "" for result in results],
            "p50 ms": [number(result.latency.p50_ms) for result in results],
            "p90 ms": [number(result.latency.p90_ms) for result in results],
            "p99 ms": [number(result.latency.p99_ms) for result in results],
            "choice": [_choice(report, index) for index in range(len(results))],
        },
    )


def accuracy_columns(report: Report) -> Columns:
    """Accuracy, and the differences from the reference model; empty without labelled images."""
    found = [row.accuracy for row in _with_reference(report)]
    if not any(found):
        return {}
    return _not_empty(
        _names_with_reference(report),
        {
            "accuracy": [f"{each.share:.2%}" if each else "" for each in found],
            "95 % interval": [_interval(each) if each else "" for each in found],
            "same label": [f"{each.agreement:.2%}" if each else "" for each in found],
            "largest difference": [_difference(each) if each else "" for each in found],
        },
    )


def cost_columns(report: Report) -> Columns:
    """File size, memory and start-up."""
    rows = _with_reference(report)
    starts = [row.cold_start for row in rows]
    return _not_empty(
        _names_with_reference(report),
        {
            "size": [size(row.size_bytes) for row in rows],
            "peak memory": [size(row.memory_bytes) for row in rows],
            "cold start": [f"{number(start.seconds)} s" if start else "" for start in starts],
            "cold-start CPU": [f"{number(start.cpu_seconds)} s" if start else "" for start in starts],
            "cold-start memory": [size(start.memory_bytes) if start else "" for start in starts],
        },
    )


def round_columns(report: Report) -> Columns:
    """Images per second in every round, then the machine's limit in every round."""
    rounds = zip_longest(*(result.rates for result in report.results))
    limits = zip_longest(*(result.limits for result in report.results))
    return _not_empty(
        name_columns(report.results),
        {f"round {count}": [number(rate) if rate else "" for rate in rates] for count, rates in enumerate(rounds, 1)},
        {f"limit {count}": [number(rate) if rate else "" for rate in rates] for count, rates in enumerate(limits, 1)},
    )


def separate_reference(report: Report) -> Reference | None:
    """The reference model if it is not among the results, such as a Keras model."""
    known = {result.name for result in report.results}
    return report.reference if report.reference and report.reference.name not in known else None


def number(value: float) -> str:
    """Three significant digits, or all digits before the point; never scientific notation.

    >>> [number(value) for value in (0.0312, 4.5, 98.76, 99.96, 12345.6)]
    ['0.0312', '4.50', '98.8', '100', '12,346']
    """
    return f"{value:#.3g}" if value < 99.95 else f"{value:,.0f}"


def size(count: int | None) -> str:
    """`count` bytes in MB or GB; empty for None.

    >>> size(25_769_803_776)
    '25.8 GB'
    """
    if count is None:
        return ""
    return f"{number(count / 1e9)} GB" if count >= 1e9 else f"{number(count / 1e6)} MB"


@dataclass(frozen=True)
class _TableRow:
    """What a result and a reference model have in common."""

    accuracy: Accuracy | None
    size_bytes: int
    memory_bytes: int | None
    cold_start: ColdStart | None


def _with_reference(report: Report) -> list[_TableRow]:
    rows = [_TableRow(each.accuracy, each.size_bytes, each.memory_bytes, each.cold_start) for each in report.results]
    if reference := separate_reference(report):
        rows.append(_TableRow(reference.accuracy, reference.size_bytes, None, reference.cold_start))
    return rows


def _not_empty(*groups: Columns) -> Columns:
    """All columns together, without those whose cells are all empty."""
    every = {header: cells for columns in groups for header, cells in columns.items()}
    return {header: cells for header, cells in every.items() if any(cells)}


def _names_with_reference(report: Report) -> Columns:
    columns = name_columns(report.results)
    if reference := separate_reference(report):
        columns = {header: [*cells, ""] for header, cells in columns.items()}
        columns["file"][-1] = reference.name
    return columns


def _configurations(results: Sequence[BenchResult], *, differing: bool) -> Columns:
    """The parts of the configuration that differ between the results, or those that are the same.

    The engine follows from the file, so it is included only if one file ran in several engines. "(auto)" marks a batch size
    only if some sizes were chosen automatically and others were not.
    """
    mixed = len({result.auto_batch for result in results}) > 1
    columns = {
        "device": [result.device for result in results],
        "batch": [f"{each.batch} (auto)" if mixed and each.auto_batch else str(each.batch) for each in results],
        "threads": [str(result.threads) for result in results],
    }
    if len({(result.name, result.engine) for result in results}) > len({result.name for result in results}):
        columns = {"engine": [result.engine for result in results], **columns}
    return {header: cells for header, cells in columns.items() if (len(set(cells)) > 1) is differing}


def _in_words(configuration: dict[str, str]) -> str:
    """The same words as `BenchResult.configuration`."""
    words = {"batch": "batch {}", "threads": plural(int(configuration.get("threads", 0)), "thread")}
    return ", ".join(words.get(header, "{}").format(cell) for header, cell in configuration.items())


def _interval(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{low:.1%} to {high:.1%}"


def _difference(accuracy: Accuracy) -> str:
    return f"{accuracy.max_difference:.1e}" if accuracy.max_difference else "0"


def _choice(report: Report, index: int) -> str:
    if index == report.ship:
        return "ship"
    return "Pareto" if report.results[index].best else ""
