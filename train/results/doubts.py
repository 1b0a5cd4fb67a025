"""What speaks against a measured model: it has learnt nothing, never answers a class, or is calibrated badly."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural

UNBALANCED = 3.0
"""From this ratio of the largest to the smallest class on, balancing the classes is advised."""
_MAX_NAMES = 5


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error, 0 to 1, and negative log likelihood, on the same images."""

    error: float
    likelihood: float


def doubts(metrics: Mapping[str, Any], cures: Iterable[str] = ()) -> list[str]:
    """Sentences about `Evaluation.to_json()`; empty if the accuracy is clearly better than that of one constant answer.

    cures: what to try, as the last sentence.
    """
    found = [*_learnt_nothing(metrics), *_never_answered(metrics)]
    advice = list(cures)
    return [*found, f"to try: {', '.join(advice)}"] if found and advice else found


def training_cures(images: Sequence[int], *, is_balanced: bool, is_default: bool) -> list[str]:
    """What to try after a training.

    images: of each class. is_balanced: with --class-weight auto. is_default: whether the network is the default one.
    """
    cures = []
    if not is_balanced and max(images) >= UNBALANCED * max(1, min(images)):
        cures.append("--class-weight auto, as the classes are unbalanced")
    if not is_default:
        cures.append("the default network (leave out --model and --recipe)")
    return [*cures, "more images"]


def calibration_doubts(before: Calibration, after: Calibration) -> list[str]:
    """A sentence if temperature scaling has made the calibration of the test images worse, as far as three digits show."""
    worse = []
    if round(after.error, 3) > round(before.error, 3):
        worse.append(f"the expected calibration error rose from {before.error:.1%} to {after.error:.1%}")
    if round(after.likelihood, 3) > round(before.likelihood, 3):
        worse.append(f"the negative log likelihood rose from {before.likelihood:.3f} to {after.likelihood:.3f}")
    if not worse:
        return []
    return [f"temperature scaling made the confidence on the test images worse: {' and '.join(worse)}"]


def _learnt_nothing(metrics: Mapping[str, Any]) -> list[str]:
    low, high = metrics["accuracy_95_interval"]
    share = metrics["majority_share"]
    if low > share:
        return []
    commonest = max(metrics["by_class"], key=lambda name: metrics["by_class"][name]["images"])
    return [
        f"an accuracy of {metrics['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}) is not clearly better than "
        f"always answering {escape(commonest)}: {share:.1%}"
    ]


def _never_answered(metrics: Mapping[str, Any]) -> list[str]:
    answered = [sum(column) for column in zip(*metrics["confusion"], strict=True)]
    counts = {name: by_class["images"] for name, by_class in metrics["by_class"].items()}
    missed = [name for (name, images), answers in zip(counts.items(), answered, strict=True) if images and not answers]
    if not missed:
        return []
    more = f" and {len(missed) - _MAX_NAMES} more" if len(missed) > _MAX_NAMES else ""
    names = ", ".join(map(escape, missed[:_MAX_NAMES])) + more
    images = sum(counts[name] for name in missed)
    return [f"never answered: {names} ({images:,} of {plural(metrics['images'], 'image')})"]
