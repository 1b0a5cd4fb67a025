"""How accurate every model is on labelled images, and how far its predictions are from the reference model's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.bench.report import Accuracy
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.any_model import AnyModel, open_any
from edgeclf.train.data.arrays import Arrays


@dataclass(frozen=True)
class MeasuredAccuracy:
    """reference: accuracy of the reference model. by_model: accuracy by model file and device. unread: number of images that
    were left out because they cannot be read.
    """

    reference: Accuracy
    by_model: Mapping[tuple[Path, str], Accuracy]
    unread: int


def open_models(
    reference: ModelCard, models: Sequence[tuple[Path, str]], described: ModelDescription | None = None
) -> dict[tuple[Path, str], AnyModel]:
    """Open every model on its device before anything is measured, so that a model that does not work is found early.

    described: what models without a card take and answer. Raises ModelError for a model of which nothing is known or with
    other classes than the reference model, and DeviceError.
    """
    opened = {(path, device): open_any(path, device, described) for path, device in models}
    for (path, _), model in opened.items():
        if model.card.classes != reference.classes:
            difference = _difference(model.card.classes, reference.classes)
            raise ModelError(f"{path} {difference}; compare models with the same classes")
    return opened


def measure_accuracy(
    reference: AnyModel, models: Mapping[tuple[Path, str], AnyModel], load_labelled: Callable[[Preprocess], Arrays]
) -> MeasuredAccuracy:
    """Classify the images with every model, each with its own preprocessing. Raises ModelError for a model that fails."""
    load = _CachedImages(load_labelled)
    arrays = load(reference.card.preprocess)
    expected = reference.probabilities(arrays.images)
    by_model = {}
    for key, model in models.items():
        images = load(model.card.preprocess)
        by_model[key] = _compare(model.probabilities(images.images), expected, images.labels)
    return MeasuredAccuracy(_compare(expected, expected, arrays.labels), by_model, len(arrays.failures))


def _difference(classes: tuple[str, ...], expected: tuple[str, ...]) -> str:
    """The first difference in a few words: there may be thousands of classes."""
    if len(classes) != len(expected):
        return f"has {plural(len(classes), 'class')}, the reference model {len(expected):,}"
    number = next(number for number, pair in enumerate(zip(classes, expected, strict=True)) if len(set(pair)) > 1)
    return f"calls class {number} {classes[number]!r}, the reference model {expected[number]!r}"


class _CachedImages:
    """Loads the images once for each kind of preprocessing."""

    def __init__(self, load_labelled: Callable[[Preprocess], Arrays]) -> None:
        self._load_labelled = load_labelled
        self._loaded: dict[Preprocess, Arrays] = {}

    def __call__(self, preprocess: Preprocess) -> Arrays:
        if preprocess not in self._loaded:
            self._loaded[preprocess] = self._load_labelled(preprocess)
        return self._loaded[preprocess]


def _compare(probabilities: NDArray[np.float32], expected: NDArray[np.float32], labels: NDArray[np.int64]) -> Accuracy:
    """probabilities, expected: `[N, classes]`. labels: `[N]`."""
    predicted = probabilities.argmax(axis=1)
    return Accuracy(
        images=len(labels),
        correct=int((predicted == labels).sum()),
        agreement=float((predicted == expected.argmax(axis=1)).mean()),
        max_difference=float(np.abs(probabilities - expected).max()),
    )
