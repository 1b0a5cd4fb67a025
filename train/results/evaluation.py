"""Measures a classifier on images that it has not seen, with confidence intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
    top_k_accuracy_score,
)

from edgeclf.runtime.model.card import Head
from edgeclf.train.data.arrays import Arrays, batches
from edgeclf.train.results.intervals import auc_interval, macro_f1_interval, wilson_interval

if TYPE_CHECKING:  # an exported model is evaluated without TensorFlow
    import keras

CALIBRATION_BINS = 15
"""As in Guo et al. 2017, so that calibration errors compare with published ones."""
_MAX_K = 5  # for the top-k accuracy
_SMALLEST = 1e-7  # smaller probabilities are raised to this before a logarithm, as in Keras's losses


@dataclass(frozen=True, eq=False)
class Evaluation:
    """confusion: int64 `[classes, classes]`, with true classes in rows and predicted classes in columns.

    labels, probabilities: int64 `[N]` and float32 `[N, classes]`; empty if only counts are known. threshold: for two
    classes, the probability from which an image is assigned to the second one; chosen on other images.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    threshold: float | None = None

    @property
    def images(self) -> int:
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    @property
    def majority_share(self) -> float:
        """The accuracy of always predicting the most frequent class."""
        return int(self.confusion.sum(axis=1).max()) / self.images

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities, and none of them is NaN."""
        return len(self.labels) > 0 and bool(np.isfinite(self.probabilities).all())

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error, 0 to 1; None without probabilities."""
        return expected_calibration_error(self.labels, self.probabilities) if self.has_probabilities else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `metrics.json` and the model card; None for a measure that is undefined for these images."""
        return {
            "images": self.images,
            "accuracy": _rounded(self.accuracy),
            "accuracy_95_interval": _ends(wilson_interval(self.correct, self.images)),
            "majority_share": _rounded(self.majority_share),
            **self._averages(),
            **self._from_probabilities(),
            "by_class": self._by_class(),
            "confusion": self.confusion.tolist(),
        }

    def _averages(self) -> dict[str, Any]:
        """Averages over the classes that have images: the recall of the others is undefined."""
        present = np.flatnonzero(self.confusion.sum(axis=1))
        names = ("precision", "recall", "f1")
        macro, weighted = (
            dict(zip(names, map(_rounded, self._scores(present, average, 0)), strict=True))
            for average in ("macro", "weighted")
        )
        return {
            "balanced_accuracy": macro["recall"],  # the same number by definition
            "macro": {**macro, "f1_95_interval": _ends(macro_f1_interval(self.confusion))},
            "weighted": weighted,
        }

    def _by_class(self) -> dict[str, Any]:
        precision, recall, f1 = self._scores(np.arange(len(self.classes)), None, np.nan)
        images, predicted, correct = self.confusion.sum(axis=1), self.confusion.sum(axis=0), np.diag(self.confusion)
        return {
            name: {
                "images": int(images[i]),
                "recall": _rounded(recall[i]),
                "recall_95_interval": _ends(_wilson(correct[i], images[i])),
                "precision": _rounded(precision[i]),
                "precision_95_interval": _ends(_wilson(correct[i], predicted[i])),
                "f1": _rounded(f1[i]),
            }
            for i, name in enumerate(self.classes)
        }

    def _scores(self, labels: NDArray[np.int64], average: str | None, where_undefined: float) -> Any:
        """Precision, recall and F1: each a number, or an array `[labels]` if `average` is None."""
        truth, predicted = np.nonzero(self.confusion)
        weights = self.confusion[truth, predicted]
        return precision_recall_fscore_support(
            truth, predicted, labels=labels, average=average, sample_weight=weights, zero_division=where_undefined
        )[:3]

    def _from_probabilities(self) -> dict[str, Any]:
        if not self.has_probabilities:
            return {}
        two = len(self.classes) == 2
        return {
            "expected_calibration_error": _rounded(self.calibration_error),
            "negative_log_likelihood": _rounded(negative_log_likelihood(self.labels, self.probabilities)),
            **(_two_classes if two else _many_classes)(self.labels, self.probabilities),
            **({} if self.threshold is None else self._at_threshold(self.threshold)),
        }

    def _at_threshold(self, threshold: float) -> dict[str, Any]:
        predicted = (self.probabilities[:, 1] >= threshold).astype(np.int64)
        counted = count_predictions(predicted, self.labels, self.classes)
        second = counted._by_class()[self.classes[1]]
        shares = {name: second[name] for name in ("recall", "precision", "f1")}
        return {"at_threshold": {"threshold": threshold, "accuracy": _rounded(counted.accuracy), **shares}}


class Bins(NamedTuple):
    """Predictions by confidence, each `[CALIBRATION_BINS]`; an empty bin has confidence and accuracy 0."""

    images: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def evaluate(network: "keras.Model", images: Arrays, classes: tuple[str, ...], threshold: float | None = None) -> Evaluation:
    """Classify every image and count the results."""
    return count_probabilities(probabilities(network, images.images), images.labels, classes, threshold)


def count_probabilities(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    threshold: float | None = None,
) -> Evaluation:
    """float32 `[N, classes]` against the true class indices `[N]`; the most probable class is predicted."""
    counted = count_predictions(probabilities.argmax(axis=1), labels, classes)
    return Evaluation(counted.classes, counted.confusion, labels, probabilities, threshold)


def count_predictions(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: Sequence[str]) -> Evaluation:
    """Predicted and true class indices, both `[N]`, as a confusion matrix."""
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return Evaluation(tuple(classes), confusion)


def probabilities(
    network: "keras.Model", images: NDArray[Any], batch: int = 8, head: Head | None = None
) -> NDArray[np.float32]:
    """Images or features `[N, ...]` to float32 `[N, classes]`, in inference mode. A sigmoid unit becomes two columns.

    batch: on two cores, 32 images of 256 x 256 pixels at a time took 1.3 times as long.
    head: "logits" if the network ends in raw scores, which are converted to probabilities.
    """
    raw = np.concatenate([network.predict_on_batch(chunk.astype(np.float32)) for chunk in batches(images, batch)])
    return in_columns(raw, head)


def in_columns(raw: NDArray[Any], head: Head | None = None) -> NDArray[np.float32]:
    """What a network answers, `[N, outputs]`, as float32 `[N, classes]`. head: as in `probabilities`."""
    raw = raw.astype(np.float32, copy=False)
    if head == "logits":
        return _softmax(raw) if raw.shape[1] > 1 else _softmax(np.concatenate([np.zeros_like(raw), raw], axis=1))
    return np.concatenate([1 - raw, raw], axis=1) if raw.shape[1] == 1 else raw


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax of each row, computed in float64. For the scores 0 and s, it gives 1 - sigmoid(s) and sigmoid(s)."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def best_threshold(labels: NDArray[np.int64], scores: NDArray[np.float32]) -> float:
    """The threshold for the probability of the second class that maximises Youden's J (1950).

    J, the sum of both recalls minus 1, treats both classes alike and does not depend on their frequencies, so the threshold
    stays valid if the shares change; F1 depends on which class comes second. The threshold lies half-way between two
    scores. Among equally good ones, the nearest to 0.5 is returned; 0.5 is also the result if there is no choice.

    >>> best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.4, 0.9], np.float32))
    0.3
    """
    if len(np.unique(labels)) < 2 or not np.isfinite(scores).all():
        return 0.5
    false_rate, true_rate, cuts = roc_curve(labels, scores.astype(np.float64), drop_intermediate=False)
    if len(cuts) < 3:  # all scores are equal
        return 0.5
    j, middles = (true_rate - false_rate)[1:-1], (cuts[1:-1] + cuts[2:]) / 2
    best = middles[np.isclose(j, j.max())]
    return _rounded(best[np.abs(best - 0.5).argmin()]) or 0.0


def calibration_bins(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Bins:
    """Accuracy of the predictions by confidence, in bins of equal width that contain their upper edge."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    images = np.bincount(place, minlength=CALIBRATION_BINS)
    sums = (np.bincount(place, weights, CALIBRATION_BINS) for weights in (confidence, correct))
    return Bins(images, *(total / np.maximum(images, 1) for total in sums))


def expected_calibration_error(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Mean distance between confidence and accuracy over the bins, weighted by images: 0 to 1 (Guo et al. 2017, eq. 3)."""
    bins = calibration_bins(labels, probabilities)
    return float(np.average(np.abs(bins.accuracy - bins.confidence), weights=bins.images))


def negative_log_likelihood(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Mean of -ln(probability of the true class), which Keras calls the cross-entropy loss."""
    of_true_class = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_true_class, _SMALLEST)).mean())


def _two_classes(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    scores = probabilities[:, 1]
    positives = int((labels == 1).sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return {"roc_auc": None, "roc_auc_95_interval": None, "average_precision": None}
    auc = float(roc_auc_score(labels, scores))
    return {
        "roc_auc": _rounded(auc),
        "roc_auc_95_interval": _ends(auc_interval(auc, negatives, positives)),
        "average_precision": _rounded(average_precision_score(labels, scores)),
    }


def _many_classes(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """One class against the rest; scikit-learn's `multi_class` needs rows that sum to 1, and INT8 rows do not."""
    classes = probabilities.shape[1]
    one_vs_rest = [
        roc_auc_score(labels == label, probabilities[:, label]) for label in np.unique(labels) if not (labels == label).all()
    ]
    counts = range(2, min(_MAX_K, classes - 1) + 1)
    return {
        "roc_auc_one_vs_rest": _rounded(np.mean(one_vs_rest)) if one_vs_rest else None,
        "top_k_accuracy": {
            str(k): _rounded(top_k_accuracy_score(labels, probabilities, k=k, labels=range(classes))) for k in counts
        },
    }


def _wilson(correct: np.int64, total: np.int64) -> tuple[float, float] | None:
    return wilson_interval(int(correct), int(total)) if total else None


def _ends(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [_rounded(end) for end in interval]


def _rounded(value: float | None) -> float | None:
    """Six digits; None for NaN, which JSON does not have."""
    return None if value is None or math.isnan(value) else round(float(value), 6)
