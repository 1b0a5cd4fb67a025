"""How good a classifier is on pictures it has not seen, and how sure one can be of that."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.frames.decode import Pixels
from edgeclf.train.data.arrays import Arrays, batches

_Z_95 = 1.959964  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Evaluation:
    """confusion: int64 `[classes, classes]`, rows the true class, columns the answer."""

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]

    @property
    def pictures(self) -> int:
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.correct / self.pictures

    @property
    def majority_share(self) -> float:
        """The accuracy of always answering with the most frequent class."""
        return int(self.confusion.sum(axis=1).max()) / self.pictures

    def to_json(self) -> dict[str, Any]:
        """Plain values for `metrics.json` and the model card."""
        low, high = wilson_interval(self.correct, self.pictures)
        by_class = {
            name: {
                "pictures": int(self.confusion[i].sum()),
                "recall": _share(self.confusion[i, i], self.confusion[i].sum()),
                "precision": _share(self.confusion[i, i], self.confusion[:, i].sum()),
            }
            for i, name in enumerate(self.classes)
        }
        return {
            "pictures": self.pictures,
            "accuracy": round(self.accuracy, 6),
            "accuracy_95_interval": [round(low, 6), round(high, 6)],
            "majority_share": round(self.majority_share, 6),
            "by_class": by_class,
            "confusion": self.confusion.tolist(),
        }


def evaluate(network: keras.Model, pictures: Arrays, classes: tuple[str, ...]) -> Evaluation:
    """Answer every picture and count."""
    return count_answers(probabilities(network, pictures.images).argmax(axis=1), pictures.labels, classes)


def count_answers(answers: NDArray[np.int64], labels: NDArray[np.int64], classes: Sequence[str]) -> Evaluation:
    """Class indices given and true, both `[N]`, as a confusion matrix."""
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, answers), 1)
    return Evaluation(tuple(classes), confusion)


def probabilities(network: keras.Model, images: Pixels, batch: int = 32) -> NDArray[np.float32]:
    """uint8 `[N, H, W, C]` to float32 `[N, classes]`, in inference mode; a sigmoid unit becomes two columns."""
    raw = np.concatenate([network.predict_on_batch(part.astype(np.float32)) for part in batches(images, batch)])
    return np.concatenate([1 - raw, raw], axis=1) if raw.shape[1] == 1 else raw


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927); honest for few pictures and near 0 and 1.

    >>> [round(end, 3) for end in wilson_interval(95, 100)]
    [0.888, 0.978]
    """
    share, spread = correct / total, _Z_95**2 / total
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def _share(part: int, whole: int) -> float | None:
    return round(int(part) / int(whole), 6) if whole else None
