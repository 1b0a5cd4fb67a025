"""How every file answers labelled images: how often right, and how far from the reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.bench.report import Accuracy
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.answering import AnyModel, open_any
from edgeclf.train.data.arrays import Arrays

Marks = dict[tuple[Path, str], Accuracy]
"""By model and device."""


@dataclass(frozen=True)
class Exam:
    """reference: its own accuracy. marks: of all, itself among them where it takes part. unread: images left out because
    they cannot be read.
    """

    reference: Accuracy
    marks: Marks
    unread: int


def open_all(reference: AnyModel, models: Sequence[tuple[Path, str]]) -> dict[tuple[Path, str], AnyModel]:
    """Every model on its device: what cannot be used is better found now than after minutes.

    Raises ModelError for a model of other classes than the reference's, or one without a card; DeviceError.
    """
    opened = {(path, device): open_any(path, device) for path, device in models}
    for (path, _), model in opened.items():
        if model.card.classes != reference.card.classes:
            raise ModelError(f"{path} {_otherwise(model.card.classes, reference.card.classes)}; compare models of the same")
    return opened


def examine(
    reference: AnyModel, models: Mapping[tuple[Path, str], AnyModel], labelled: Callable[[Preprocess], Arrays]
) -> Exam:
    """Let every model answer the images as its own preprocessing makes them. Raises ModelError for one that cannot."""
    images = _Images(labelled)
    arrays = images(reference.card.preprocess)
    expected = reference.answers(arrays.images)
    marks = {}
    for entry, model in models.items():
        given = images(model.card.preprocess)
        marks[entry] = _mark(model.answers(given.images), expected, given.labels)
    return Exam(_mark(expected, expected, arrays.labels), marks, len(arrays.failures))


def _otherwise(classes: tuple[str, ...], expected: tuple[str, ...]) -> str:
    """How the classes differ, in few words: there may be thousands."""
    if len(classes) != len(expected):
        return f"knows {len(classes):,} classes, the reference {len(expected):,}"
    number = next(number for number, pair in enumerate(zip(classes, expected, strict=True)) if len(set(pair)) > 1)
    return f"calls class {number} {classes[number]!r}, the reference {expected[number]!r}"


class _Images:
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
        images=len(labels),
        correct=int((chosen == labels).sum()),
        agreement=float((chosen == expected.argmax(axis=1)).mean()),
        max_difference=float(np.abs(answers - expected).max()),
    )
