"""Two classifiers on the same test images, over the same seeds: how far they are apart, and whether that is chance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Right = Sequence[NDArray[np.bool_]]
"""For each seed, whether each test image is right, `[N]`."""


def points_more(one: Right, other: Right) -> str:
    """The mean of the differences in percentage points, and its 95 % interval if there are several seeds (Student's t).

    >>> points_more([np.array([True, True])] * 2, [np.array([True, False])] * 2)
    '+50.0 (+50.0 to +50.0)'
    """
    from edgeclf.train.results.intervals import mean_interval

    more = [100 * (float(mine.mean()) - float(theirs.mean())) for mine, theirs in zip(one, other, strict=True)]
    text = f"{np.mean(more):+.1f}"
    if len(more) < 2:
        return text
    low, high = mean_interval(more)
    return f"{text} ({low:+.1f} to {high:+.1f})"


def won_and_lost(one: Right, other: Right, images: Sequence[Sequence[str]]) -> tuple[int, int]:
    """On how many images the one is right in more seeds than the other, and in fewer.

    images: the paths of the test images of each seed. An image counts once, in however many seeds it is tested.

    >>> right, wrong = np.array([True, True]), np.array([True, False])
    >>> won_and_lost([right, right], [wrong, right], [["a", "b"], ["a", "b"]])
    (1, 0)
    """
    balance: dict[str, int] = {}
    for mine, theirs, paths in zip(one, other, images, strict=True):
        for path, difference in zip(paths, mine.astype(int) - theirs.astype(int), strict=True):
            balance[path] = balance.get(path, 0) + int(difference)
    return sum(value > 0 for value in balance.values()), sum(value < 0 for value in balance.values())


def chance(won: int, lost: int) -> float:
    """How likely counts as unequal as these are if both are equally good (McNemar's exact test).

    >>> chance(6, 0), chance(3, 3), chance(0, 0)
    (0.03125, 1.0, 1.0)
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5))) if won + lost else 1.0
