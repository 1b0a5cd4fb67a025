"""Prints the result of the gate: a table, and notes on what follows from it."""

from collections.abc import Sequence

from edgeclf.export.gate_report import GateReport
from edgeclf.export.parity import Parity
from edgeclf.export.timing import SAME_SPEED
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.tables import Cell, Column, show_table
from edgeclf.train.results.intervals import wilson_interval


def show(report: GateReport) -> None:
    """Print the table and the notes to stderr."""
    timed = [parity for parity in report.parities if parity.milliseconds is not None]
    ship = report.ship if len(timed) > 1 else ""
    _show_table(report, ship)
    note(f"verified on {plural(report.parities[0].images, 'image')} ({report.origin})")
    if report.compared:
        note(f"compared: {report.compared}")
    _note_few_images(report)
    for remark in report.remarks:
        note(f"warning: {remark}")
    for parity in report.parities:
        if parity.attempts > 1:
            note(f"{parity.name}: {parity.made_by}, after {plural(parity.attempts - 1, 'failed attempt')}")
        for miss in parity.misses:
            note(f"failed: {parity.name}: {miss}")
        for sentence in parity.warnings:
            note(f"warning: {parity.name}: {sentence}")
    _note_slower(timed)
    if ship:
        _note_choice(report, ship)


def _show_table(report: GateReport, ship: str) -> None:
    first = report.parities[0]
    further = list(dict.fromkeys(name for parity in report.parities for name in _further(parity)))
    columns = [
        Column("file", "left"),
        Column("size", spare=1),
        *([Column("accuracy"), Column("95 % interval", spare=4)] if first.is_labelled else []),
        Column("same class", spare=2),
        Column("difference", spare=3),
        *(Column(name, spare=5) for name in further),
        Column("per image"),
        Column("verdict", "left"),
    ]
    reference = (report.reference, "", *_accuracy(first, first.reference_correct))
    show_table(columns, [reference, *(_cells(parity, ship, further) for parity in report.parities)])


def _cells(parity: Parity, ship: str, further: Sequence[str]) -> list[str | Cell]:
    return [
        parity.name,
        f"{parity.size_bytes / 1e6:.2f} MB",
        *_accuracy(parity, parity.correct),
        f"{parity.agreement:.2%}",
        f"{parity.max_difference:.1e}",
        *(_further(parity).get(name, "") for name in further),
        "" if parity.milliseconds is None else f"{parity.milliseconds:.3g} ms",
        _verdict(parity, ship),
    ]


def _accuracy(parity: Parity, correct: int) -> tuple[str, ...]:
    """The share of correct images and its interval; nothing without labels."""
    if not parity.is_labelled:
        return ()
    low, high = wilson_interval(correct, parity.images)
    return f"{correct / parity.images:.2%}", f"{low:.0%} to {high:.0%}"


def _further(parity: Parity) -> dict[str, str]:
    """How near the further outputs are: the cosine of the embedding, and the share of heatmaps with the same top place."""
    cosine, place = parity.further.embedding_cosine, parity.further.heatmap_same_place
    columns = {} if cosine is None else {"embedding": f"{cosine:.4f}"}
    return columns if place is None else columns | {"heatmap": f"{place:.2%}"}


def _verdict(parity: Parity, ship: str) -> Cell:
    if parity.misses:
        return Cell("failed", "red")
    return Cell("ship", "bold green") if parity.name == ship else Cell("passed")


def _note_few_images(report: GateReport) -> None:
    """Warn if a single image is more than the accuracy that may be lost."""
    first, limit = report.parities[0], report.limits.max_drop
    if 0 < limit * first.reference_correct < 1:
        one = f"one of the {plural(first.reference_correct, 'correct image')} is {1 / first.reference_correct:.1%}"
        note(f"too few images: {one}, more than the {limit:.1%} that may be lost; give more with --data DIR")


def _note_slower(timed: Sequence[Parity]) -> None:
    """Name the reduced files that are slower than float32, so only their size is better."""
    times = {parity: parity.milliseconds for parity in timed if parity.milliseconds is not None}
    full = [parity for parity in times if parity.precision == "fp32"]
    if not full:
        return
    best = min(full, key=lambda parity: times[parity])
    ratios = {parity.name: time / times[best] for parity, time in times.items() if parity.precision != "fp32"}
    slower = [f"{name} ({ratio:.2g} times)" for name, ratio in ratios.items() if ratio > SAME_SPEED]
    if slower:
        note(f"slower here than {best.name}: {', '.join(slower)}")


def _note_choice(report: GateReport, ship: str) -> None:
    note(f"ship {ship}: the fastest here of those that passed, for one image at a time")
    others = [name for name in report.trade_offs if name != ship]
    if others:
        note(f"also worth a look: {', '.join(others)}; no file beats them in time, accuracy and size at once")
