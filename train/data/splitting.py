"""Taking validation and test splits from the training images: stratified by class, with groups kept together."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.train.data.assignment import Assignment, groups_of
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
    folds: the number of folds of a cross-validation, 0 for none. A test split is then never cut from the training images.
    """

    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    by: str = ""
    val: Path | None = None
    test: Path | None = None
    limit: int | None = None
    seed: int = 0
    folds: int = 0

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
        if self.folds < 0 or self.folds == 1:
            raise OptionError(f"--folds must be at least 2, not {self.folds}")

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
    splits = ("train", *missing)
    shares = [splitting.share(split) for split in splits]
    counts = np.bincount([label for _, label in images], minlength=len(classes))
    return _assigned(
        images, names, copies, classes, dict(zip(splits, _targets(counts, shares), strict=True)), splitting.seed
    )


def cut_folds(
    images: Labelled,
    names: Sequence[str | None],
    copies: Sequence[tuple[str, ...]],
    classes: Sequence[str],
    splitting: Splitting,
) -> list[Labelled]:
    """Divide `images` into `splitting.folds` parts of about equal size, each with all classes; groups as in `cut`.

    Raises DatasetError if a class cannot be in every fold.
    """
    folds = splitting.folds
    counts = np.bincount([label for _, label in images], minlength=len(classes))
    # The folds that get one more of a class begin where those of the class before it end.
    first = np.concatenate([[0], np.cumsum(counts % folds)[:-1]])
    more = (np.arange(folds)[:, None] - first) % folds < counts % folds
    targets = {f"fold {number + 1}": counts // folds + more[number] for number in range(folds)}
    return list(_assigned(images, names, copies, classes, targets, splitting.seed).values())


def _assigned(
    images: Labelled,
    names: Sequence[str | None],
    copies: Sequence[tuple[str, ...]],
    classes: Sequence[str],
    targets: dict[str, NDArray[np.int64]],
    seed: int,
) -> dict[str, Labelled]:
    """targets: the number of images of each class in each split."""
    groups = groups_of([path for path, _ in images], names, copies)
    assignment = Assignment(np.array([label for _, label in images]), groups, classes, targets, seed)
    assignment.assign_groups()
    assignment.assign_singles()
    assignment.check()
    return {split: sorted(images[i] for i in assignment.taken[split]) for split in assignment.splits}


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


def _targets(counts: NDArray[np.int64], shares: list[float]) -> NDArray[np.int64]:
    """How many images of each class each split should have. The remainder from rounding goes to train, the first."""
    total = shares[0] + sum(shares[1:])
    cut = [[max(1, round(int(count) * share / total)) for count in counts] for share in shares[1:]]
    return np.array([counts - np.sum(cut, axis=0), *cut])
