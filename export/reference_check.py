"""Judges a model from elsewhere by labelled images: a file that agrees with a model that is wrong is wrong too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from edgeclf.export.options import ExternalModel, Scale
from edgeclf.export.parity import Reference
from edgeclf.runtime.errors import EdgeclfError, GateError
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.intervals import wilson_interval

if TYPE_CHECKING:  # `clf-export check` runs on devices without TensorFlow
    from edgeclf.train.keras_file.saving import KerasModel

_MAX_IMAGES = 300
"""Enough to tell a right setting from a wrong one; the settings are tried one after the other."""
_CERTAIN = 4.0
"""Standard deviations. Many settings and orders are tried, and one of them can be better by chance."""


@dataclass(frozen=True)
class _Trial:
    """How many images are right after some changes, each of them a part of a sentence."""

    changes: tuple[str, ...]
    correct: int

    def is_certainly_above(self, share: float, total: int) -> bool:
        return wilson_interval(self.correct, total, _CERTAIN)[0] > share


def check_reference(
    reference: Reference, external: ExternalModel, attach: "Callable[[ExternalModel], KerasModel]"
) -> tuple[str, ...]:
    """Compare the model's accuracy with always predicting the most frequent class.

    attach: gives the network its card and scaling, as `external` says. Returns remarks for the report.
    Raises GateError if other settings are certainly better, or if the model is worse than that one class.
    """
    remarks = reference_remarks(reference, external.classes)
    if len(np.unique(reference.images.labels)) < 2 or _is_better(reference):
        return remarks
    note(
        "the model is not certainly better than one constant answer; trying other --scale, --bgr and orders of --classes ..."
    )
    used = np.linspace(0, len(reference.images) - 1, min(_MAX_IMAGES, len(reference.images))).astype(int)
    images = Arrays(reference.images.images[used], reference.images.labels[used])
    now = int((reference.probabilities[used].argmax(axis=1) == images.labels).sum())
    trials = list(_trials(reference.probabilities[used], images, external, attach))
    best, total = max(trials, key=lambda trial: trial.correct), len(images)
    if best.is_certainly_above(max(wilson_interval(now, total)[1], _frequent(images)[1] / total), total):
        found = f"it would be with {_simplest(trials, best.correct)}: {best.correct} of {total}"
        raise GateError(f"{_described(reference, external.classes)}, but {found}; check --classes, --scale and --bgr")
    if wilson_interval(now, total)[1] < _frequent(images)[1] / total:
        advice = "and no other --scale, --bgr or order of --classes is better; check --data, --classes and the model"
        raise GateError(f"{_described(reference, external.classes)}, {advice}")
    return remarks


def reference_remarks(reference: Reference, classes: tuple[str, ...]) -> tuple[str, ...]:
    """What the labels say against the reference model. Nothing if it is right more often than one constant answer."""
    images = reference.images
    if len(np.unique(images.labels)) < 2:
        name = classes[int(images.labels[0])]
        return (f"all images are of the class {name!r}, so a wrong --scale or order of classes could not be noticed",)
    if _correct(reference) > _frequent(images)[1]:
        return ()
    return (f"{_described(reference, classes)}; if it should be better, check its classes and how its images are made",)


def _is_better(reference: Reference) -> bool:
    """Whether it is certainly right more often than always predicting the most frequent class."""
    images = reference.images
    return wilson_interval(_correct(reference), len(images))[0] > _frequent(images)[1] / len(images)


def _described(reference: Reference, classes: tuple[str, ...]) -> str:
    correct, total, (frequent, count) = _correct(reference), len(reference.images), _frequent(reference.images)
    relation = "hardly better" if correct > count else "no better"
    return (
        f"the reference model is right on {correct} of {plural(total, 'image')}, "
        f"{relation} than always predicting {classes[frequent]!r} ({count})"
    )


def _correct(reference: Reference) -> int:
    return int((reference.probabilities.argmax(axis=1) == reference.images.labels).sum())


def _frequent(images: Arrays) -> tuple[int, int]:
    """The most frequent class and its number of images."""
    counts = np.bincount(images.labels)
    return int(counts.argmax()), int(counts.max())


def _trials(
    probabilities: NDArray[np.float32],
    images: Arrays,
    external: ExternalModel,
    attach: "Callable[[ExternalModel], KerasModel]",
) -> Iterator[_Trial]:
    """The present settings with another order of the classes, and other settings with and without one."""
    yield _best_order((), probabilities, images, external.classes)
    for scale in get_args(Scale):
        for bgr in (False,) if scale == "caffe" else (False, True):
            if (scale, bgr) == (external.scale, external.bgr):
                continue
            try:
                answers = attach(replace(external, scale=scale, bgr=bgr)).probabilities(images.images)
            except EdgeclfError:  # such as a scale that needs colour
                continue
            flags = f"--scale {scale}" + (" --bgr" if bgr else " without --bgr" if external.bgr else "")
            yield _Trial((flags,), int((answers.argmax(axis=1) == images.labels).sum()))
            yield _best_order((flags,), answers, images, external.classes)


def _best_order(
    changes: tuple[str, ...], probabilities: NDArray[np.float32], images: Arrays, classes: tuple[str, ...]
) -> _Trial:
    """The order of the classes that makes the most images right."""
    from scipy.optimize import linear_sum_assignment

    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (probabilities.argmax(axis=1), images.labels), 1)
    outputs, order = linear_sum_assignment(confusion, maximize=True)
    names = ", ".join(classes[label] for label in order)
    names = names if len(names) < 80 else f"{names[:80]}..."
    return _Trial((*changes, f"the classes in the order {names}"), int(confusion[outputs, order].sum()))


def _simplest(trials: list[_Trial], correct: int) -> str:
    """Several changes can explain the same: blue and red are exchanged by --bgr as well as by their names."""
    equal = [trial.changes for trial in trials if trial.correct == correct]
    fewest = min(map(len, equal))
    return ", or with ".join(" and ".join(changes) for changes in equal if len(changes) == fewest)
