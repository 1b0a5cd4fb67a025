"""Photographs that were saved or taken twice and lie in different splits, and a `--split-by` that keeps them together."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.data.dataset import Dataset
from edgeclf.train.data.duplicates import look_alikes
from edgeclf.train.data.short_names import short_names
from edgeclf.train.data.splitting import Labelled, Splitting, cut, group_names

_SHOWN = 5
_SIDE = 32
_UNIFORM_DEVIATION = 2.0
_CANDIDATES = (
    r"([^/]+)[-_ ][^-_ /]*$",  # night7_001.jpg: up to the last separator
    r"([^/]*[^/\d])\d+\.[^/.]+$",  # night001.jpg: up to the number
    r"([^/.]+?)[-_ (.][^/]*$",  # cat7.jpg and cat7 (copy).jpg: up to the first separator
    "folder",
)
"""Values of --split-by to try, those with the smallest groups first."""

Pair = tuple[str, str]
"""Two paths."""


def near_leak_notes(dataset: Dataset, splits: Mapping[str, Arrays], splitting: Splitting) -> list[str]:
    """Sentences about images that look alike across the splits: the pairs, and how to keep them together, if there is a way.

    splits: the images of the dataset, by split; images smaller than 32 pixels are not compared.
    """
    split_of = {path: name for name, split in splits.items() for path in split.paths}
    pairs = [pair for group in _alike(dataset, splits) for pair in _across(group, split_of)]
    if not pairs:
        return []
    looks = "1 pair of images looks" if len(pairs) == 1 else f"{plural(len(pairs), 'pair')} of images look"
    names = short_names(split_of)
    lines = [f"  {' ~ '.join(_place(names[path], split_of[path]) for path in pair)}" for pair in pairs[:_SHOWN]]
    more = [f"  and {len(pairs) - _SHOWN:,} more"] if len(pairs) > _SHOWN else []
    cures = []
    if dataset.cut_from is not None:
        images = [
            (path, label) for one in dataset.splits().values() for path, label in zip(one.paths, one.labels, strict=True)
        ]
        by = split_by_for(sorted(images), pairs, dataset.classes, dataset.cut_from, dataset.copies, splitting=splitting)
        cures = [f"to keep them together: --split-by {shlex.quote(by)}"] if by else []
    return [f"{looks} alike across the splits, which can make the accuracy too high:", *lines, *more, *cures]


def _place(name: str, split: str) -> str:
    """A file and its split, unless a folder is called so."""
    return name if name.startswith(split + os.sep) else f"{split} {name}"


def split_by_for(
    images: Labelled,
    pairs: Sequence[Pair],
    classes: Sequence[str],
    top: Path,
    copies: Sequence[tuple[str, ...]],
    *,
    splitting: Splitting,
) -> str:
    """A `--split-by` with which every pair ends up in one split, and all classes in every split; empty without one.

    top: as for `group_names`. copies: groups of equal files.
    """
    for by in _CANDIDATES:
        try:
            names = group_names(images, classes, top, by)
            found = cut(
                images,
                names,
                copies,
                classes=classes,
                missing=("val", "test"),
                splitting=replace(splitting, by=by),
            )
        except EdgeclfError:  # no groups, or too few of them
            continue
        place = {path: split for split, inside in found.items() for path, _ in inside}
        named = dict(zip((path for path, _ in images), names, strict=True))
        if all(named[one] == named[other] is not None and place[one] == place[other] for one, other in pairs):
            return by
    return ""


def _alike(dataset: Dataset, splits: Mapping[str, Arrays]) -> list[list[str]]:
    """Groups of images that look alike, with one image of each group of exact copies."""
    repeated = {path for group in dataset.copies for path in group[1:]}
    thumbnails, paths = [], []
    for split in splits.values():
        if min(split.images.shape[1:3]) < _SIDE:
            return []
        for path, image in zip(split.paths, split.images, strict=True):
            thumbnail = _thumbnail(image)
            if path not in repeated and float(thumbnail.std()) >= _UNIFORM_DEVIATION:  # uniform images all look alike
                thumbnails.append(thumbnail)
                paths.append(path)
    stacked = np.array(thumbnails, np.uint8).reshape(-1, _SIDE, _SIDE)
    return [[paths[index] for index in group] for group in look_alikes(stacked)]


def _thumbnail(image: Pixels) -> Pixels:
    grey = image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _across(group: Sequence[str], split_of: Mapping[str, str]) -> Iterator[Pair]:
    """Each image of another split than the first one, with the first one."""
    first = group[0]
    yield from ((first, other) for other in group[1:] if split_of[other] != split_of[first])
