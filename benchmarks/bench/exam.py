"""How every file answers labelled pictures: how often right, and how far from the reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.bench.report import Accuracy
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.frames.preprocess import Preprocess
from edgeclf.train.answering import AnyModel, open_any
from edgeclf.train.data.arrays import Arrays

Marks = dict[tuple[Path, str], Accuracy]
"""By model and device."""


@dataclass(frozen=True)
class Exam:
    """reference: its own accuracy. marks: of all, itself among them where it takes part."""

    reference: Accuracy
    marks: Marks


def examine(reference: AnyModel, models: Sequence[tuple[Path, str]], labelled: Callable[[Preprocess], Arrays]) -> Exam:
    """Let every model, on its device, answer the pictures as its own preprocessing makes them.

    Raises ModelError for a model of other classes than the reference's, or one that cannot answer.
    """
    pictures = _Pictures(labelled)
    arrays = pictures(reference.card.preprocess)
    expected = reference.answers(arrays.images)
    marks = {}
    for path, device in models:
        model = open_any(path, device)
        if model.card.classes != reference.card.classes:
            theirs, ours = ", ".join(reference.card.classes), ", ".join(model.card.classes)
            raise ModelError(f"{path} knows the classes {ours}, the reference {theirs}; compare models of the same classes")
        given = pictures(model.card.preprocess)
        marks[path, device] = _mark(model.answers(given.images), expected, given.labels)
    return Exam(_mark(expected, expected, arrays.labels), marks)


class _Pictures:
    """Read once for each way to prepare them."""

    def __init__(self, labelled: Callable[[Preprocess], Arrays]) -> None:
        self._labelled = labelled
        self._read: dict[Preprocess, Arrays] = {}

    def __call__(self, preprocess: Preprocess) -> Arrays:
        if preprocess not in self._read:
            self._read[preprocess] = self._labelled(preprocess)
        return self._read[preprocess]


def _mark(answers: NDArray[np.float32], expected: NDArray[np.float32], labels: NDArray[np.int64]) -> Accuracy:
    """All `[N, classes]` and `[N]`."""
    chosen = answers.argmax(axis=1)
    return Accuracy(
        pictures=len(labels),
        correct=int((chosen == labels).sum()),
        agreement=float((chosen == expected.argmax(axis=1)).mean()),
        max_difference=float(np.abs(answers - expected).max()),
    )
