"""Taking validation and test splits from the training images: stratified by class, with groups kept together."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.data.listing import class_name

Labelled = list[tuple[str, int]]
"""Pairs of path and label."""


@dataclass(frozen=True)
class Splitting:
    """How images without a split are divided into train, val and test. The same seed gives the same splits.

    shares: of train, val and test, each above 0, summing to 1. If a split exists already, the others keep their ratio.
    by: which images stay in one split. Empty: each image is split on its own. "folder": the images in one folder below a
        class folder stay together. Anything else is a regular expression, searched in `CLASS/FOLDER/NAME` (for a CSV file,
        in the path relative to its folder): images with the same first group, or the same match if the expression has no
        group, stay together, whatever their class.
    val, test: a labelled folder or CSV file to use as that split, instead of cutting it from the training images.
    limit: the maximum number of images, for a quick trial. They are chosen at random before the training images are
        split. Each split gets its share of them, spread evenly over the classes.
    """

    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    by: str = ""
    val: Path | None = None
    test: Path | None = None
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not min(self.shares) > 0 or not math.isclose(sum(self.shares), 1, rel_tol=0, abs_tol=1e-6):
            raise _no_shares(",".join(f"{share:g}" for share in self.shares))
        try:
            re.compile(self.by)
        except (re.error, OverflowError, RecursionError) as error:
            raise OptionError(
                f"--split-by takes folder or a regular expression, and {self.by!r} is not one: {error}"
            ) from None
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"--limit must be at least 1 image, not {self.limit}")
        if self.seed < 0:
            raise OptionError(f"--seed must be at least 0, not {self.seed}")

    def share(self, split: str) -> float:
        """The share of one split."""
        return self.shares[("train", "val", "test").index(split)]


def parse_shares(text: str) -> tuple[float, float, float]:
    """Parse shares or percentages of train, val and test. Raises OptionError. `Splitting` checks that they fit together.

    >>> parse_shares("80,10,10")
    (0.8, 0.1, 0.1)
    """
    try:
        train, val, test = (float(share) for share in text.split(","))
    except ValueError:
        raise _no_shares(text) from None
    whole = 100 if math.isclose(train + val + test, 100, rel_tol=0, abs_tol=1e-4) else 1
    return train / whole, val / whole, test / whole


def limited(found: dict[str, dict[str, list[str]]], splitting: Splitting) -> dict[str, dict[str, list[str]]]:
    """Paths by split and class: at most `splitting.limit` images. Raises OptionError if a class would have none."""
    if splitting.limit is None:
        return found
    missing = [split for split in ("val", "test") if split not in found]
    shares = {split: splitting.share(split) for split in found}
    shares["train"] += sum(map(splitting.share, missing))
    least = {split: len(by_class) * (1 + len(missing) * (split == "train")) for split, by_class in found.items()}
    enough = max(math.ceil(least[split] / shares[split] - 1e-6) for split in found)
    if splitting.limit < enough:
        raise OptionError(
            f"--limit {splitting.limit} is too few for one image of each class in each split; use at least {enough}"
        )
    rng = np.random.default_rng((splitting.seed, 2))
    return {split: _spread(found[split], int(splitting.limit * shares[split] + 1e-6), rng) for split in sorted(found)}


def group_names(images: Labelled, classes: Sequence[str], top: Path, by: str) -> list[str | None]:
    """The name of each image's group, which must stay in one split; None for an image on its own.

    top: the folder with the class folders or the CSV file. Raises OptionError if `by` finds no group at all.
    """
    if not by:
        return [None] * len(images)
    relative = [_below(path, top) for path, _ in images]
    if by == "folder":
        names = [_folder(path, classes[label]) for path, (_, label) in zip(relative, images, strict=True)]
    else:
        names = [_first_group(re.search(by, path)) for path in relative]
    if not any(names):
        raise OptionError(
            f"--split-by {by} finds no group in any path, such as {relative[0]!r}; correct it, or leave it out"
        )
    return names


def cut(
    images: Labelled,
    names: Sequence[str | None],
    copies: Sequence[tuple[str, ...]],
    classes: Sequence[str],
    missing: Sequence[str],
    splitting: Splitting,
) -> dict[str, Labelled]:
    """Divide `images` into train and the splits in `missing`: a share of each class, at least one image in each split.

    Images with the same name in `names` stay in one split, and so do those in one group of `copies`. Groups are assigned
    first, from the largest to the smallest, each to the split that lacks most images of its classes. Single images fill
    the rest, so the counts are exact if there are no groups. Raises DatasetError if a class cannot be in every split.
    """
    if not missing:
        return {"train": images}
    groups = _groups([path for path, _ in images], names, copies)
    labels = np.array([label for _, label in images])
    assignment = _Assignment(labels, groups, classes, ("train", *missing), splitting)
    assignment.assign_groups()
    assignment.assign_singles()
    assignment.check()
    return {split: sorted(images[i] for i in assignment.taken[split]) for split in assignment.splits}


class _Assignment:
    """Assigns images, by index, to splits. Tables are `[splits, classes]`."""

    def __init__(
        self,
        labels: NDArray[np.int64],
        groups: list[list[int]],
        classes: Sequence[str],
        splits: Sequence[str],
        splitting: Splitting,
    ) -> None:
        self.labels = labels
        self.several = [group for group in groups if len(group) > 1]
        self.single = np.array([group[0] for group in groups if len(group) == 1], np.int64)
        self.classes = classes
        self.splits = splits
        self.seed = splitting.seed
        self.taken: dict[str, list[int]] = {split: [] for split in splits}
        self.has = np.zeros((len(splits), len(classes)), bool)
        inside = [label for group in self.several for label in np.unique(labels[group])]
        self.left = np.bincount([*labels[self.single], *inside], minlength=len(classes))
        self.lacking = _targets(np.bincount(labels, minlength=len(classes)), [splitting.share(split) for split in splits])
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
        for label in np.flatnonzero(self.left < len(self.splits)).tolist():
            single = self.left[label] == np.count_nonzero(self.labels == label)
            what = "images" if single else "groups of images (--split-by, or equal files)"
            raise DatasetError(
                f"class {escape(self.classes[label])} holds {self.left[label]} {what}, too few to split; "
                f"add images until there are at least {len(self.splits)}"
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


def _no_shares(text: str) -> OptionError:
    return OptionError(
        f"--split takes the shares of train, val and test, each above 0, that sum to 1 (0.8,0.1,0.1) or to 100 (80,10,10), "
        f"not {text!r}"
    )


def _spread(by_class: dict[str, list[str]], count: int, rng: np.random.Generator) -> dict[str, list[str]]:
    """Choose `count` images, evenly from all classes as far as they have enough. Keeps their order."""
    chosen: dict[str, list[str]] = {}
    for left, name in zip(range(len(by_class), 0, -1), sorted(by_class, key=lambda name: len(by_class[name])), strict=True):
        paths = by_class[name]
        quota = min(len(paths), count // left)
        chosen[name] = [paths[i] for i in sorted(rng.choice(len(paths), quota, replace=False))]
        count -= quota
    return {name: chosen[name] for name in by_class}


def _below(path: str, top: Path) -> str:
    try:
        return PurePath(path).relative_to(top).as_posix()
    except ValueError:  # a CSV file may name images anywhere
        return PurePath(path).as_posix()


def _folder(path: str, label: str) -> str | None:
    folder = path.rpartition("/")[0]
    return None if class_name(folder) in ("", label) else folder


def _first_group(match: re.Match[str] | None) -> str | None:
    if match is None:
        return None
    return (match[1] if match.re.groups else match[0]) or None


def _groups(paths: list[str], names: Sequence[str | None], copies: Sequence[tuple[str, ...]]) -> list[list[int]]:
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


def _targets(counts: NDArray[np.int64], shares: list[float]) -> NDArray[np.int64]:
    """How many images of each class each split should have. The remainder from rounding goes to train, the first."""
    total = shares[0] + sum(shares[1:])
    cut = [[max(1, round(int(count) * share / total)) for count in counts] for share in shares[1:]]
    return np.array([counts - np.sum(cut, axis=0), *cut])
