"""Which candidate to ship, and why; and which gates are missed."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeclf.benchmarks.bench.columns import size
from edgeclf.benchmarks.bench.intervals import ratios
from edgeclf.benchmarks.bench.options import Gates
from edgeclf.benchmarks.bench.report import BenchResult, Reference
from edgeclf.export.parity import allowed_loss
from edgeclf.export.timing import SAME_SPEED
from edgeclf.runtime.terminal.plural import plural

SAME_SIZE = 1.05
"""Files whose sizes differ by less than this factor count as equally small: only their headers differ."""
REDUCED = 0.9
"""A file counts as reduced if it is smaller than this share of the first file."""


@dataclass(frozen=True)
class Recommendation:
    """ship: index of the recommended result, or None. The other fields are sentences. misses is empty if something can be
    shipped.
    """

    ship: int | None
    because: str
    notes: tuple[str, ...]
    misses: tuple[str, ...] = ()


def recommend(results: Sequence[BenchResult], reference: Reference | None, gates: Gates) -> Recommendation:
    """Recommend the fastest result that passes the gates.

    Among results within SAME_SPEED of the fastest, the most accurate one wins, then the smallest one, then the fastest one.
    """
    refused = {index: miss for index, result in enumerate(results) if (miss := _miss(result, reference, gates))}
    passed = [index for index in range(len(results)) if index not in refused]
    notes = (*_smaller_but_slower(results), *_accuracy_doubts(results, reference, gates))
    if not passed:
        return Recommendation(None, "no candidate can be shipped: each one misses a gate", notes, tuple(refused.values()))
    fastest = max(passed, key=lambda index: results[index].rate)
    ship = _choose(results, passed, fastest)
    because = _because(results, ship, fastest, len(passed), reference)
    return Recommendation(ship, because, (*refused.values(), *notes))


def _choose(results: Sequence[BenchResult], passed: Sequence[int], fastest: int) -> int:
    rates = results[fastest].rates
    fast = [index for index in passed if ratios(results[index].rates, rates).middle * SAME_SPEED >= 1]
    most = max(_correct(results[index]) for index in fast)
    accurate = [index for index in fast if _correct(results[index]) == most]
    limit = min(results[index].size_bytes for index in accurate) * SAME_SIZE
    small = [index for index in accurate if results[index].size_bytes <= limit]
    return max(small, key=lambda index: results[index].rate)


def _miss(result: BenchResult, reference: Reference | None, gates: Gates) -> str:
    """Why a result cannot be shipped; empty if it can."""
    who = f"{result.name} ({result.configuration})"
    if result.rate < gates.min_fps:
        return f"{who} runs at {result.rate:,.1f} images per second; the limit is {gates.min_fps:,.1f}"
    if result.accuracy and reference:
        correct, images = result.accuracy.correct, plural(result.accuracy.images, "image")
        expected = reference.accuracy.correct
        if expected - correct > allowed_loss(expected, gates.allowed_drop):
            counts = f"{correct:,} of {images} right, {reference.name} {expected:,}"
            return f"{who} gets {counts}; the limit is a loss of {gates.allowed_drop:.1%}"
    return ""


def _smaller_but_slower(results: Sequence[BenchResult]) -> list[str]:
    """A sentence for each reduced file that is slower than the first one on the same device with the same threads."""
    first = results[0]
    return [
        f"{result.name} is smaller than {first.name}, but slower here: {result.ratio} times as fast"
        for result in results
        if result.size_bytes < REDUCED * first.size_bytes
        and (result.device, result.threads) == (first.device, first.threads)
        and result.ratio.high < 1
    ]


def _accuracy_doubts(results: Sequence[BenchResult], reference: Reference | None, gates: Gates) -> list[str]:
    """Sentences about what the accuracy gate could not see."""
    if reference is None:
        return []
    correct, images = reference.accuracy.correct, reference.accuracy.images
    if not correct:
        return [
            f"{reference.name} gets none of {plural(images, 'image')} right; check that the images and classes are its own"
        ]
    found = []
    if {result.name for result in results} == {reference.name}:
        found.append(f"{reference.name} is compared with itself; name the model it was exported from with --against")
    if 0 < gates.allowed_drop * correct < 1:
        one = f"one of the {plural(correct, 'correct image')} is {1 / correct:.1%}, and {gates.allowed_drop:.1%} may be lost"
        found.append(f"too few images for the accuracy gate: {one}; name more with --data DIR, or raise --max-drop")
    return found


def _correct(result: BenchResult) -> int:
    """Correct predictions; the same for all results if accuracy was not measured."""
    return result.accuracy.correct if result.accuracy else 0


def _because(results: Sequence[BenchResult], ship: int, fastest: int, passed: int, reference: Reference | None) -> str:
    result, first = results[ship], results[0]
    reasons = [_main_reason(results, ship, fastest, passed, reference)]
    if ship:
        reasons.append(f"{result.ratio} times as fast as {first.name}")
    if result.accuracy and reference:
        theirs = f" ({reference.name}: {reference.accuracy.share:.1%})" if reference.name != result.name else ""
        images = plural(result.accuracy.images, "image")
        reasons.append(f"{result.accuracy.share:.1%} accuracy on {images}{theirs}")
    else:
        reasons.append("accuracy not measured")
    return f"ship {result.name} ({result.configuration}): {', '.join(reasons)}, {size(result.size_bytes)}"


def _main_reason(results: Sequence[BenchResult], ship: int, fastest: int, passed: int, reference: Reference | None) -> str:
    if len(results) == 1:
        return "the only candidate"
    if passed == 1:
        return "the only candidate that passes the gates"
    if ship == fastest:
        return "the fastest" + (" that keeps the accuracy" if reference else "")
    better = "more accurate" if _correct(results[ship]) > _correct(results[fastest]) else "smaller"
    return f"within {SAME_SPEED - 1:.0%} of the fastest ({results[fastest].name}), and {better}"
