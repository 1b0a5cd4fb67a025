"""Which row to ship, and why; and whether the gates are met."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeclf.benchmarks.bench.columns import size
from edgeclf.benchmarks.bench.intervals import ratios
from edgeclf.benchmarks.bench.report import Reference, Row
from edgeclf.export.parity import allowed_loss
from edgeclf.export.timing import SAME_SPEED


@dataclass(frozen=True)
class Gates:
    """What a row must keep to be shipped.

    max_drop: share of the reference's right answers that may be lost; None for MAX_DROP, where there are any. min_fps:
    images a second.
    """

    max_drop: float | None = None
    min_fps: float = 0.0

    @property
    def drop(self) -> float:
        """What holds."""
        return MAX_DROP if self.max_drop is None else self.max_drop


GATES = Gates()
MAX_DROP = 0.01
"""As for an export."""
SAME_SIZE = 1.05
"""Files closer than this are as small as each other: what is left is headers."""
REDUCED = 0.9
"""Of the first file's size; above that, nothing was reduced."""


@dataclass(frozen=True)
class Verdict:
    """ship: the number of the row, or None. The others are sentences; nothing is missed where one can be shipped."""

    ship: int | None
    because: str
    notes: tuple[str, ...]
    misses: tuple[str, ...] = ()


def decide(rows: Sequence[Row], reference: Reference | None, gates: Gates) -> Verdict:
    """The fastest row that passes; of those that are as fast, but for SAME_SPEED, the most accurate, then the smallest."""
    refused = {number: miss for number, row in enumerate(rows) if (miss := _miss(row, reference, gates))}
    passed = [number for number in range(len(rows)) if number not in refused]
    notes = (*_slower_and_smaller(rows), *_doubts(rows, reference, gates))
    if not passed:
        return Verdict(None, "ship none of these: each misses a gate", notes, tuple(refused.values()))
    fastest = max(passed, key=lambda number: rows[number].rate)
    alike = [number for number in passed if ratios(rows[number].rates, rows[fastest].rates).middle * SAME_SPEED >= 1]
    right = max(_correct(rows[number]) for number in alike)
    alike = [number for number in alike if _correct(rows[number]) == right]
    small = min(rows[number].size_bytes for number in alike) * SAME_SIZE
    ship = max((number for number in alike if rows[number].size_bytes <= small), key=lambda number: rows[number].rate)
    return Verdict(ship, _because(rows, ship, fastest, len(passed), reference), (*refused.values(), *notes))


def _miss(row: Row, reference: Reference | None, gates: Gates) -> str:
    """Why a row cannot be shipped; empty where it can."""
    if row.rate < gates.min_fps:
        return f"{row.name} ({row.arrangement}) does {row.rate:,.1f} images a second; the limit is {gates.min_fps:,.1f}"
    if row.accuracy and reference:
        lost = reference.accuracy.correct - row.accuracy.correct
        if lost > allowed_loss(reference.accuracy.correct, gates.drop):
            counts = f"{row.accuracy.correct:,} of {row.accuracy.images:,} images right where {reference.name} gets "
            right = f"{reference.accuracy.correct:,}; the limit is a loss of {gates.drop:.1%}"
            return f"{row.name} ({row.arrangement}) gets {counts}{right}"
    return ""


def _slower_and_smaller(rows: Sequence[Row]) -> list[str]:
    """A sentence for each reduced file that is slower than the first row on the same device with as many threads."""
    first = rows[0]
    return [
        f"{row.name} is smaller than {first.name}, but slower here: {row.ratio} times as fast"
        for row in rows
        if row.size_bytes < REDUCED * first.size_bytes
        and (row.device, row.threads) == (first.device, first.threads)
        and row.ratio.high < 1
    ]


def _doubts(rows: Sequence[Row], reference: Reference | None, gates: Gates) -> list[str]:
    """Sentences on what the gate of accuracy could not have seen."""
    if reference is None:
        return []
    correct, images = reference.accuracy.correct, reference.accuracy.images
    if not correct:
        return [f"{reference.name} gets none of {images:,} images right; are these its images, and its classes?"]
    found = []
    if {row.name for row in rows} == {reference.name}:
        found.append(f"{reference.name} is compared with itself; name the model that it came from with --against")
    if 0 < gates.drop * correct < 1:
        one = f"one image is {1 / images:.1%}, and {gates.drop:.1%} may be lost"
        found.append(f"the images are few: {one}; name more with --data DIR, or allow more with --max-drop")
    return found


def _correct(row: Row) -> int:
    """Right answers; the same for all where nobody counted."""
    return row.accuracy.correct if row.accuracy else 0


def _because(rows: Sequence[Row], ship: int, fastest: int, passed: int, reference: Reference | None) -> str:
    row, quickest = rows[ship], rows[fastest]
    if len(rows) == 1:
        reasons = ["it is the only one that was measured"]
    elif passed == 1:
        reasons = ["it is the only one that the gates leave"]
    elif ship == fastest:
        reasons = ["the fastest" + (" that keeps the accuracy" if reference else "")]
    else:
        better = "more accurate" if _correct(row) > _correct(quickest) else "smaller"
        reasons = [f"about as fast as {quickest.name}, and {better}"]
    if ship:
        reasons.append(f"{row.ratio} times as fast as {rows[0].name}")
    if row.accuracy and reference:
        theirs = f" ({reference.name}: {reference.accuracy.share:.1%})" if reference.name != row.name else ""
        reasons.append(f"right on {row.accuracy.share:.1%} of {row.accuracy.images:,} images{theirs}")
    else:
        reasons.append("its accuracy was not measured")
    return f"ship {row.name} ({row.arrangement}): {', '.join(reasons)}, {size(row.size_bytes)}"
