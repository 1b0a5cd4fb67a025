"""Judges a model from elsewhere by labelled images: a file that agrees with a model that is wrong is wrong too."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.export.parity import Reference
from edgeclf.runtime.errors import EdgeclfError, GateError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.conventions.facts import NO_SOURCE, Fact, Facts
from edgeclf.runtime.model.conventions.scales import SCALES
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.intervals import wilson_interval

_MAX_IMAGES = 500
"""Enough to tell a right setting from a wrong one; the settings are tried one after the other."""
_CERTAIN_SETTING, _CERTAIN_ORDER = 3.0, 4.0
"""Standard deviations. A dozen settings are tried, and one of them can be better by chance; there are far more orders."""
_DECISIVE = int(_CERTAIN_SETTING**2)
"""Fewer wrong images than these cannot show that another setting is certainly better."""

Answer = Callable[[Facts, Pixels], NDArray[np.float32]]
"""From other facts about the same network and images `[N, H, W, C]` to probabilities. Raises EdgeclfError if they do not
fit it."""


@dataclass(frozen=True, eq=False)
class _Trial:
    """Which images are right, bool `[N]`, after some changes, each of them a part of a sentence.

    certain: how many standard deviations must separate it from the present settings.
    """

    changes: tuple[str, ...]
    right: NDArray[np.bool_]
    certain: float = _CERTAIN_SETTING

    @property
    def correct(self) -> int:
        return int(self.right.sum())

    def is_certainly_better(self, now: NDArray[np.bool_]) -> bool:
        """McNemar's test: only the images on which the two differ count."""
        gained, lost = int((self.right & ~now).sum()), int((now & ~self.right).sum())
        return gained - lost >= self.certain * math.sqrt(gained + lost) and gained > 0


def check_reference(reference: Reference, classes: tuple[str, ...], facts: Facts, answer: Answer) -> tuple[str, ...]:
    """Compare the model's accuracy with always predicting the most frequent class.

    facts: those that the model has now. answer: runs the network with others. Returns remarks for the report.
    Raises GateError if other settings are certainly better, or if the model is worse than that one class.
    """
    remarks = reference_remarks(reference, classes)
    total, correct = len(reference.images), reference.correct
    if not reference.is_labelled or len(np.unique(reference.images.labels)) < 2 or total - correct < _DECISIVE:
        return remarks
    used = np.linspace(0, total - 1, min(_MAX_IMAGES, total)).astype(int)
    images = Arrays(reference.images.images[used], reference.images.labels[used])
    now = reference.probabilities[used].argmax(axis=1) == images.labels
    trials = [_best_order((), reference.probabilities[used], images, classes)]
    if _is_owners_word(facts) or not _is_better(reference):
        trials += _trials(images, classes, facts, answer)
    better = [trial for trial in trials if trial.is_certainly_better(now) and trial.correct > _frequent(images)[1]]
    if better:
        best = max(trial.correct for trial in better)
        found = f"with {_simplest(better, best)} it would be right on {best} of {len(images)}"
        raise GateError(f"{_described(reference, classes)}, but {found}; check --classes, --scale and --channels")
    if wilson_interval(correct, total)[1] < _frequent(reference.images)[1] / total:
        advice = "and no other --scale, --channels or order of --classes is better; check --data, --classes and the model"
        raise GateError(f"{_described(reference, classes)}, {advice}")
    return remarks


def _is_owners_word(facts: Facts) -> bool:
    """Whether the scaling or the order of the channels comes from no file of the tool that made the model."""
    given = [fact for fact in (facts.scaling, facts.channels) if fact is not None]
    return any(fact.origin.startswith("--") or fact.origin in NO_SOURCE for fact in given)


def reference_remarks(reference: Reference, classes: tuple[str, ...]) -> tuple[str, ...]:
    """What the labels say against the reference model. Nothing if it is right more often than one constant answer."""
    images = reference.images
    unnoticed = "so a wrong --scale or order of classes could not be noticed"
    if not reference.is_labelled:
        return (f"the images have no labels, {unnoticed}",)
    if len(np.unique(images.labels)) < 2:
        name = classes[int(images.labels[0])]
        return (f"all images are of the class {name!r}, {unnoticed}",)
    if reference.correct > _frequent(images)[1]:
        return ()
    return (f"{_described(reference, classes)}; if it should be better, check its classes and how its images are made",)


def _is_better(reference: Reference) -> bool:
    """Whether it is certainly right more often than always predicting the most frequent class."""
    images = reference.images
    return wilson_interval(reference.correct, len(images))[0] > _frequent(images)[1] / len(images)


def _described(reference: Reference, classes: tuple[str, ...]) -> str:
    correct, total, (frequent, count) = reference.correct, len(reference.images), _frequent(reference.images)
    right = f"the reference model is right on {correct} of {plural(total, 'image')}"
    if _is_better(reference):
        return right
    relation = "hardly better" if correct > count else "no better"
    return f"{right}, {relation} than always predicting {classes[frequent]!r} ({count})"


def _frequent(images: Arrays) -> tuple[int, int]:
    """The most frequent class and its number of images."""
    counts = np.bincount(images.labels)
    return int(counts.argmax()), int(counts.max())


def _trials(images: Arrays, classes: tuple[str, ...], facts: Facts, answer: Answer) -> list[_Trial]:
    """Other settings, with and without another order of the classes."""
    trials = []
    settings = list(_other_settings(facts))
    with Progress("trying other settings", len(settings), "setting") as progress:
        for flags, other in settings:
            try:
                answers = answer(other, images.images)
            except EdgeclfError:  # such as a scale that needs colour
                continue
            trials.append(_Trial((flags,), answers.argmax(axis=1) == images.labels))
            trials.append(_best_order((flags,), answers, images, classes))
            progress.advance()
    return trials


def _other_settings(facts: Facts) -> Iterator[tuple[str, Facts]]:
    """The flags for every usual scaling with both orders of the channels, and the facts that they mean."""
    order = facts.channels.value if facts.channels else "rgb"
    for name, scale in SCALES.items():
        for channels in (scale.channels,) if scale.channels else ("rgb", "bgr"):
            other = Facts(scaling=Fact(scale.scaling, "--scale"), channels=Fact(channels, "--channels")).over(facts)
            if facts.scaling and other.scaling and (other.scaling.value, channels) == (facts.scaling.value, order):
                continue
            changed = f" --channels {channels}" if channels != order and not scale.channels else ""
            yield f"--scale {name}{changed}", other


def _best_order(
    changes: tuple[str, ...], probabilities: NDArray[np.float32], images: Arrays, classes: tuple[str, ...]
) -> _Trial:
    """The order of the classes that makes the most images right."""
    from scipy.optimize import linear_sum_assignment

    predicted, seen = probabilities.argmax(axis=1), np.unique(images.labels)
    used = np.unique(np.concatenate([predicted, seen]))  # of a hundred thousand classes, few occur
    confusion = np.zeros((len(used), len(used)), np.int64)
    np.add.at(confusion, (np.searchsorted(used, predicted), np.searchsorted(used, images.labels)), 1)
    _, best = linear_sum_assignment(confusion, maximize=True)
    order = np.arange(len(classes))
    order[used] = used[best]
    names = ", ".join(classes[label] for label in order)
    names = names if len(names) < 80 else f"{names[:80]}..."
    right = order[predicted] == images.labels
    return _Trial((*changes, f"the classes in the order {names}"), right, _CERTAIN_ORDER)


def _simplest(trials: list[_Trial], correct: int) -> str:
    """Several changes can explain the same: blue and red are exchanged by --channels as well as by their names."""
    equal = [trial.changes for trial in trials if trial.correct == correct]
    fewest = min(map(len, equal))
    return ", or with ".join(" and ".join(changes) for changes in equal if len(changes) == fewest)
