"""Which labels are probably wrong, by confident learning: Northcutt, Jiang & Chuang, "Confident Learning: Estimating
Uncertainty in Dataset Labels", JAIR 70 (2021), https://arxiv.org/abs/1911.00068.

The package cleanlab is by its authors. It is not used: it brings pandas, for these few lines of NumPy.
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


def wrong_labels(probabilities: NDArray[Any], labels: Labels, unlikely: float = 1.0) -> list[tuple[int, int]]:
    """Index and most probable other class of the images whose label is probably wrong, the least probable label first.

    There are as many as images that confidently belong to another class and whose own label is less probable than `unlikely`
    times chance, 1 / classes. But they are those with the least probable labels, as the paper's "prune by class" takes them
    within a class. The second condition is ours: it spares images between two classes that look alike.
    """
    rows = np.arange(len(labels))
    own, confident = probabilities[rows, labels], confident_classes(probabilities, labels)
    count = int(((confident >= 0) & (confident != labels) & (own < unlikely / probabilities.shape[1])).sum())
    others = np.array(probabilities)
    others[rows, labels] = -1
    return [(int(index), int(others[index].argmax())) for index in np.argsort(own, kind="stable")[:count]]
