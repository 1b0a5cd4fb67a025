"""What `clf-bench` has to say beside its figures, in sentences that the terminal, the Markdown and the page share."""

from edgeclf.benchmarks.bench.columns import in_common, labels, number
from edgeclf.benchmarks.bench.report import Report

UNSTEADY = 1.3
"""Times between a row's slowest and its fastest round, from which on others take what is measured."""


def conditions(report: Report) -> str:
    """How it was measured, in a line: `end to end, cpu, batch 1, 2 threads; 5 rounds of 3 s each`."""
    mode = "end to end" if report.end_to_end else "inference only"
    alike = in_common(report.rows)
    rounds = f"{report.rounds} {'round' if report.rounds == 1 else 'rounds'} of {report.seconds:g} s each"
    return f"{', '.join(filter(None, (mode, alike)))}; {rounds}"


def remarks(report: Report) -> list[str]:
    """What a reader should know before he believes the figures, beginning with what is wrong with them."""
    found = [_unsteady(report), *report.notes, _compared(report), _unbeaten(report)]
    return [sentence for sentence in found if sentence]


def method(report: Report) -> list[str]:
    """Three sentences on how it was measured, and what that is worth."""
    rounds = f"each round ({report.rounds} of {report.seconds:g} s)"
    return [
        f"Every file in every arrangement ran in a process of its own in {rounds}, all of them in turns, and each round "
        "began with another one; what a process did to warm up is not counted.",
        f"Images a second are the median over the rounds {_from_where(report)}; how many times as fast is taken within "
        f"each round against {report.rows[0].name} in the first row, with the interval that resampling the rounds gives, "
        "which holds the true median about nine times in ten from five rounds on.",
        f"Milliseconds are those of one run of the model on a whole batch{_limit(report)}; a cold start is the time from "
        "the start of a process to its first answer, Python and all its imports included, with what it reads in the "
        "system's memory already.",
    ]


def _from_where(report: Report) -> str:
    if report.end_to_end:
        return "from files, which the system keeps in memory, to answers through the pipeline of clf-run"
    return "of the model alone, on images that lie in memory, one run at a time"


def _limit(report: Report) -> str:
    if not report.end_to_end:
        return ""
    return (
        "; the limit is what as many cores reach with reading, resizing and the model and no pipeline around them, and "
        "without the model where it runs on another device"
    )


def _unsteady(report: Report) -> str:
    """The row whose rounds are furthest apart, where that is far."""
    row = max(report.rows, key=lambda row: max(row.rates) / min(row.rates))
    if max(row.rates) < UNSTEADY * min(row.rates):
        return ""
    span = f"{number(min(row.rates))} to {number(max(row.rates))} images a second"
    return f"the rounds are far apart ({row.name}: {span}), as on a busy machine; measure again while it is quiet"


def _compared(report: Report) -> str:
    if report.reference is None:
        return ""
    return f"answers are compared with those of {report.reference.name}, on {report.reference.accuracy.images:,} images"


def _unbeaten(report: Report) -> str:
    """All that are best in something, but the one to ship."""
    named = [f"{name} ({words})" if words else name for name, words in labels(report.rows)]
    others = [name for place, name in enumerate(named) if report.rows[place].best and place != report.ship]
    either = ", either" if report.ship is not None else ""
    return f"nothing beats {', '.join(others)} in speed, accuracy and size at once{either}" if others else ""
