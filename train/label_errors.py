"""Finds images whose label is probably wrong: by a logistic regression on frozen features that has not seen the image."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.confident_learning import wrong_labels
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.assignment import groups_of
from edgeclf.train.data.dataset import as_split
from edgeclf.train.data.findings import Checkup, Finding, Kind, WrongLabel
from edgeclf.train.data.listing import list_images
from edgeclf.train.data.reading import AS_USUAL, Reading
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.quiet import load_keras
from edgeclf.train.recipes import transfer

FOLDS = 5
DIVISIONS = 3
"""Times that all images are divided into folds. The mean of their answers depends less on chance than those of one."""
ROUNDS = 2
"""Times that all images are answered again, by heads that were not fitted to the images found wrong before."""
NAMED_BELOW = 0.5
"""The largest probability of a label that is named, as a multiple of chance. Heads are not fitted to images below 1."""
_COPIES = (Kind.LEAKAGE, Kind.LABEL_NOISE, Kind.DUPLICATE, Kind.NEAR_DUPLICATE)


@dataclass(frozen=True)
class LabelledImages:
    """arrays: the images that can be read. classes: their names. groups: indexes of images that are copies of each other."""

    arrays: Arrays
    classes: tuple[str, ...]
    groups: list[list[int]]


def with_label_errors(checkup: Checkup, root: Path, reading: Reading = AS_USUAL) -> Checkup:
    """What a check of `root` has found, and the labels that are probably wrong, the worst first. Needs TensorFlow.

    Copies that the check has found are never on both sides: no image is judged by a copy of itself. Raises DatasetError
    if a class has too few images, before TensorFlow is loaded.
    """
    with tempfile.TemporaryDirectory(prefix="edgeclf-", ignore_cleanup_errors=True) as folder:
        images = _read(checkup, root, reading, Path(folder))
        require_enough(images)
        load_keras()
        probabilities = _answers(images, Path(folder))
    return checkup.adding(label_errors(images.arrays, images.classes, probabilities))


def label_errors(images: Arrays, classes: Sequence[str], probabilities: NDArray[np.float32]) -> Iterable[Finding]:
    """The labels that are probably wrong, the least probable first.

    probabilities: float32 `[N, classes]`, of heads that did not see the image.
    """
    for index, suggested in wrong_labels(probabilities, images.labels, NAMED_BELOW):
        label, own = classes[images.labels[index]], float(probabilities[index, images.labels[index]])
        other = float(probabilities[index, suggested])
        wrong = WrongLabel(label, classes[suggested], round(own, 6), round(other, 6))
        detail = f"labelled {escape(label)} ({own:.1%}), looks like {escape(wrong.suggested)} ({other:.1%})"
        yield replace(Finding.of(Kind.LABEL_ERROR, detail, images.paths[index]), wrong_label=wrong)


def require_enough(images: LabelledImages) -> None:
    """Raise DatasetError for a class that has fewer images than there are folds; copies count once."""
    counts = np.zeros(len(images.classes), np.int64)
    for group in images.groups:
        counts[np.unique(images.arrays.labels[group])] += 1
    for name, count in zip(images.classes, counts.tolist(), strict=True):
        if count < FOLDS:
            problem = f"class {escape(name)} has {plural(count, 'readable image')}, copies counted once"
            raise DatasetError(f"{problem}; add images until it has {FOLDS}, or leave out --labels")


def divide(labels: NDArray[np.int64], groups: Sequence[Sequence[int]], seed: int) -> NDArray[np.intp]:
    """The fold of each image, `[N]`: groups stay together, and each class is spread over all folds."""
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    first = np.array([labels[groups[number][0]] for number in shuffled])
    folds = np.zeros(len(labels), np.intp)
    for place, number in enumerate(shuffled[np.argsort(first, kind="stable")].tolist()):
        folds[groups[number]] = place % FOLDS
    return folds


def _read(checkup: Checkup, root: Path, reading: Reading, caches: Path) -> LabelledImages:
    found = list_images(root, reading).found
    classes = tuple(sorted({name for by_class in found.values() for name, paths in by_class.items() if paths}))
    unreadable = {path for finding in checkup.findings if finding.kind is Kind.UNREADABLE for path in finding.paths}
    labelled = [
        (path, classes.index(name))
        for by_class in found.values()
        for name, paths in by_class.items()
        for path in paths
        if path not in unreadable
    ]
    arrays = load(as_split(labelled), Preprocess(transfer(Backbone()).size_hw), "images", caches / "images.u8")
    copies = [finding.paths for finding in checkup.findings if finding.kind in _COPIES]
    return LabelledImages(arrays, classes, groups_of([*arrays.paths], [None] * len(arrays), copies))


def _answers(images: LabelledImages, caches: Path) -> NDArray[np.float32]:
    """Probabilities, float32 `[N, classes]`, of heads that saw neither the image nor those that were found wrong before."""
    from edgeclf.train.frozen_features import frozen_features
    from edgeclf.train.logistic_regression import Examples, answers_left_out

    labels = images.arrays.labels
    features, earlier = frozen_features(images.arrays.images, caches / "features.f16")
    views = len(features) // len(labels)
    targets = np.tile(np.eye(len(images.classes), dtype=np.float32)[labels], (views, 1))
    examples = Examples(features, targets, np.full(len(features), 1 / views, np.float32), earlier)
    folds = np.stack([divide(labels, images.groups, seed) for seed in range(DIVISIONS)])
    rounds = [answers_left_out(examples, folds, np.ones(len(labels), np.bool_))]
    for _ in range(ROUNDS):
        fitted = np.ones(len(labels), np.bool_)
        fitted[[index for index, _ in wrong_labels(rounds[-1], labels)]] = False
        rounds.append(answers_left_out(examples, folds, fitted))
    return np.asarray(np.mean(rounds[1:], axis=0))
