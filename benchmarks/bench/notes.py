"""What `clf-bench` says beside its figures; the terminal, the Markdown and the web page share these sentences."""

from edgeclf.benchmarks.bench.columns import display_names, number, shared_configuration
from edgeclf.benchmarks.bench.report import Report
from edgeclf.runtime.terminal.plural import plural

UNSTEADY = 1.3
"""Ratio of the fastest to the slowest round of a candidate above which the machine was probably busy."""


def conditions(report: Report) -> str:
    """How it was measured, in one line: `end to end, cpu, batch 1, 2 threads; 5 rounds of 3 s each`."""
    mode = "end to end" if report.end_to_end else "inference only"
    shared = shared_configuration(report.results)
    rounds = f"{plural(report.rounds, 'round')} of {report.seconds:g} s each"
    return f"{', '.join(filter(None, (mode, shared)))}; {rounds}"


def notes(report: Report) -> list[str]:
    """What a reader should know before trusting the figures; problems come first."""
    found = [_unsteady(report), *report.notes, _compared(report), _pareto_optimal(report)]
    return [sentence for sentence in found if sentence]


def method(report: Report) -> list[str]:
    """Three paragraphs: how it was measured, and what the figures mean."""
    rounds = f"each round ({report.rounds} of {report.seconds:g} s)"
    return [
        f"Every model in every configuration ran in its own process, once in {rounds}. Every round started with a different "
        "one. The warm-up of each process is not counted.",
        f'Images per second are the median over the rounds, {_measured_part(report)}. "Times as fast" compares with '
        f"{report.results[0].name} in the first row, round by round. Its interval comes from resampling the rounds; with "
        "five or more rounds, it contains the true median about nine times in ten.",
        f"Milliseconds are the time of one run of the model on a whole batch.{_limit(report)} A cold start is the time from "
        "the start of a process to its first prediction, including Python and all imports, with the files it reads already "
        "in memory.",
    ]


def _measured_part(report: Report) -> str:
    if report.end_to_end:
        return "from files in the system's cache to predictions, through the pipeline of clf-run"
    return "for only the model, on images in memory, one run at a time"


def _limit(report: Report) -> str:
    if not report.end_to_end:
        return ""
    return (
        " The limit is what the same number of cores can reach by reading, resizing and running the model, without a "
        "pipeline around them; if the model runs on another device, the limit leaves the model out."
    )


def _unsteady(report: Report) -> str:
    """Names the result whose rounds differ most, if they differ much."""
    worst = max(report.results, key=lambda result: max(result.rates) / min(result.rates))
    slowest, fastest = min(worst.rates), max(worst.rates)
    if fastest < UNSTEADY * slowest:
        return ""
    span = f"{number(slowest)} to {number(fastest)} images per second"
    return f"the rounds differ a lot ({worst.name}: {span}), which suggests a busy machine; measure again when it is idle"


def _compared(report: Report) -> str:
    if report.reference is None:
        return ""
    images = plural(report.reference.accuracy.images, "image")
    return f"predictions are compared with those of {report.reference.name}, on {images}"


def _pareto_optimal(report: Report) -> str:
    """Names all Pareto-optimal results except the recommended one."""
    names = [f"{name} ({words})" if words else name for name, words in display_names(report.results)]
    others = [name for index, name in enumerate(names) if report.results[index].best and index != report.ship]
    if not others:
        return ""
    too = "also " if report.ship is not None else ""
    return f"{too}Pareto-optimal (nothing beats them in speed, accuracy and size at once): {', '.join(others)}"
