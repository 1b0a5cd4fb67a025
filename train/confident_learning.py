"""Which labels are probably wrong, by confident learning: Northcutt, Jiang & Chuang, "Confident Learning: Estimating
Uncertainty in Dataset Labels", JAIR 70 (2021), https://arxiv.org/abs/1911.00068.

The first step is what cleanlab calls `filter_by="confident_learning"`. That package is not used: it brings pandas, for these
few lines of NumPy.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]


def confident_classes(probabilities: NDArray[Any], labels: Labels) -> Labels:
    """The class that each image confidently belongs to, int64 `[N]`; -1 for none.

    probabilities: float `[N, classes]`, by models that did not see the image. An image belongs to a class if its probability
    is at least the mean of those that are labelled so, and of several such classes to the most probable.
    """
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    sums = np.bincount(labels, own, minlength=probabilities.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    reached = np.where(probabilities >= thresholds - 1e-6, probabilities, -1)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)


def wrong_labels(probabilities: NDArray[Any], labels: Labels) -> list[tuple[int, int]]:
    """Index and suggested class of each image whose label is probably wrong, the least probable label first.

    Those are the images that confidently belong to another class, and whose own label is less probable than by chance,
    1 / classes. The second condition is ours: it spares images between two classes that look alike.
    """
    own = probabilities[np.arange(len(labels)), labels]
    confident = confident_classes(probabilities, labels)
    found = np.flatnonzero((confident >= 0) & (confident != labels) & (own < 1 / probabilities.shape[1]))
    return [(int(index), int(confident[index])) for index in found[np.argsort(own[found], kind="stable")]]
