"""Assigns labelled images to splits or folds: the numbers of each class as wanted, and groups kept together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.terminal.escaping import escape


class Assignment:
    """Assigns images, by index, to splits. Tables are `[splits, classes]`."""

    def __init__(
        self,
        labels: NDArray[np.int64],
        groups: list[list[int]],
        classes: Sequence[str],
        targets: dict[str, NDArray[np.int64]],
        seed: int,
    ) -> None:
        splits = tuple(targets)
        self.labels = labels
        self.several = [group for group in groups if len(group) > 1]
        self.single = np.array([group[0] for group in groups if len(group) == 1], np.int64)
        self.classes = classes
        self.splits = splits
        self.seed = seed
        self.taken: dict[str, list[int]] = {split: [] for split in splits}
        self.has = np.zeros((len(splits), len(classes)), bool)
        inside = [label for group in self.several for label in np.unique(labels[group])]
        self.left = np.bincount([*labels[self.single], *inside], minlength=len(classes))
        self.lacking = np.array([*targets.values()])
        self._check_enough()

    def assign_groups(self) -> None:
        """Assign the groups of several images, the largest first."""
        order = np.random.default_rng((self.seed, 1)).permutation(len(self.several))
        for group in sorted((self.several[i] for i in order), key=len, reverse=True):
            labels, counts = np.unique(self.labels[group], return_counts=True)
            self.left[labels] -= 1
            self._take(min(range(len(self.splits)), key=lambda split: self._cost(split, labels, counts)), group)

    def assign_singles(self) -> None:
        """Assign the images without a group, class by class."""
        rng = np.random.default_rng(self.seed)
        for label in range(len(self.classes)):
            singles = self.single[self.labels[self.single] == label]
            order = singles[rng.permutation(len(singles))].tolist()
            for split, count in enumerate(self._wanted(label, len(order)), start=1):
                self._take(split, order[:count])
                order = order[count:]
            self._take(0, order)

    def check(self) -> None:
        """Raise DatasetError if a class is missing from a split, because groups span classes."""
        for split, label in np.argwhere(~self.has).tolist():
            raise DatasetError(
                f"with its groups kept together, class {escape(self.classes[label])} has no image in {self.splits[split]}; "
                f"try another --seed, or name other images with --val and --test"
            )

    def _check_enough(self) -> None:
        is_of_folds = "train" not in self.splits
        # A fold is tested by a model that learns from and is validated on the others: both need an image of each class.
        wanted = max(len(self.splits), 4 if len(self.splits) == 2 and is_of_folds else 0)
        for label in np.flatnonzero(self.left < wanted).tolist():
            single = self.left[label] == np.count_nonzero(self.labels == label)
            what = "images" if single else "groups of images (--split-by, or equal files)"
            count = int(self.left[label])
            purpose = f"for --folds {len(self.splits)}" if is_of_folds else "to split"
            fewer = f", or pass --folds {count}" if is_of_folds and 3 <= count < len(self.splits) else ""
            raise DatasetError(
                f"class {escape(self.classes[label])} holds {count} {what}, too few {purpose}; "
                f"add images until there are at least {wanted}{fewer}"
            )

    def _cost(self, split: int, labels: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[int, int]:
        """Lower is better: how many classes could no longer reach every split; then how little the split needs it."""
        others = np.count_nonzero(~np.delete(self.has[:, labels], split, axis=0), axis=0)
        return int(np.maximum(others - self.left[labels], 0).sum()), -int(self.lacking[split, labels] @ counts)

    def _wanted(self, label: int, count: int) -> list[int]:
        """How many of `count` images each split except train gets: what it lacks, as long as every split gets one."""
        least = (~self.has[1:, label]).astype(np.int64)
        wanted = np.maximum(self.lacking[1:, label], 0)
        while wanted.sum() > count - (not self.has[0, label]) and (wanted > least).any():
            wanted[np.argmax(wanted - least)] -= 1
        return [int(number) for number in wanted]

    def _take(self, split: int, group: list[int]) -> None:
        self.taken[self.splits[split]] += group
        np.subtract.at(self.lacking[split], self.labels[group], 1)
        self.has[split, self.labels[group]] = True


def groups_of(paths: list[str], names: Sequence[str | None], copies: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Groups of indexes that must stay together, linked by equal names or as copies. Most groups have one image."""
    index = {path: i for i, path in enumerate(paths)}
    first: dict[str, int] = {}
    links = [(first.setdefault(name, i), i) for i, name in enumerate(names) if name is not None]
    here = ([index[path] for path in group if path in index] for group in copies)
    links += [(group[0], other) for group in here for other in group[1:]]
    leader = list(range(len(paths)))
    for pair in links:
        low, high = sorted(_lead(leader, i) for i in pair)
        leader[high] = low
    groups: dict[int, list[int]] = {}
    for i in range(len(paths)):
        groups.setdefault(_lead(leader, i), []).append(i)
    return list(groups.values())


def _lead(leader: list[int], i: int) -> int:
    while leader[i] != i:
        leader[i] = leader[leader[i]]
        i = leader[i]
    return i
