"""Images that are in a dataset more than once: the same bytes, or the same photograph saved again.

A test image with a copy among the training images makes the test accuracy too high.
"""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.pipeline import ordered_map

# Measured on 848 photographs (ants and bees; waste). Each was compared with altered copies of itself: JPEG of quality 90,
# 50 and 25; 0.25, 0.5, 0.9 and 1.5 times the size; 15 % darker, 15 % brighter, and 15 levels brighter. 99.6 % of the
# copies are found. None of the 180,028 pairs of distinct photographs counts as a copy; without MIN_CORRELATION, about 40
# did. Of copies cropped by 1 % at every edge, nine in ten are found; of copies cropped by 3 % or flipped, hardly any. In
# ELPV, with 2,624 solar cells, 150 groups are reported. The three most similar pairs are different cells with the same
# grain, probably from neighbouring wafers.
MAX_HASH_DISTANCE = 6
"""How many of the 64 bits may differ between two hashes of the same photograph."""
MIN_CORRELATION = 0.97
"""The least correlation between two thumbnails of the same photograph."""

_BLANK_IMAGES = 100
"""Blank images added to the average of a dataset. Without them, nothing would be left of two copies after subtraction."""
_ROWS = 512
_BITS_OF = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8)).reshape(-1, 16).sum(1, dtype=np.uint8)
"""How many bits are set in each 16-bit number (np.bitwise_count needs numpy 2)."""


def exact_duplicates(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of two or more files with the same bytes, in the order of `paths`. A link is a copy of its target.

    Only files of equal size are read. Empty, unreadable and special files have no copies.
    """
    sizes = [_size(path) for path in paths]
    times = Counter(sizes)
    alike = [(size, path) for size, path in zip(sizes, paths, strict=True) if size and times[size] > 1]
    groups: dict[tuple[int, bytes], list[str]] = {}
    for (size, path), digest in zip(alike, ordered_map(_digest, (path for _, path in alike), usable_cores()), strict=True):
        if digest:
            groups.setdefault((size, digest), []).append(path)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def look_alikes(thumbnails: Pixels) -> list[tuple[int, ...]]:
    """Groups of indexes of images that show one photograph. thumbnails: grey uint8 `[N, 32, 32]`, none of them uniform.

    Hashes find the candidates. The correlation of their thumbnails decides, after subtracting what all images of the
    dataset share: everything under a fixed camera looks alike.
    """
    hashes = np.array([perceptual_hash(thumbnail) for thumbnail in thumbnails], np.uint64)
    blocks = [thumbnails[start : start + _ROWS] for start in range(0, len(thumbnails), _ROWS)]
    shared = sum(_standardised(block).sum(0) for block in blocks) / (len(thumbnails) + _BLANK_IMAGES)
    group = np.arange(len(hashes))
    for candidates in near_duplicates(hashes):
        indexes = np.array(candidates)
        residues = _unit(_standardised(thumbnails[indexes]) - shared)
        for start in range(0, len(indexes), _ROWS):
            a, b = np.nonzero(residues[start : start + _ROWS] @ residues.T >= MIN_CORRELATION)
            _join(indexes[a + start], indexes[b], group)
    return _in_order(group)


def joined(groups: Iterable[Sequence[int]], count: int) -> list[tuple[int, ...]]:
    """The groups after merging those that share an index, in ascending order. count: of all indexes.

    >>> joined([(0, 3), (4, 5), (3, 1)], 6)
    [(0, 1, 3), (4, 5)]
    """
    group = np.arange(count)
    pairs = [(members[0], other) for members in groups for other in members[1:]]
    if pairs:
        one, other = np.array(pairs, np.int64).T
        _join(one, other, group)
    return _in_order(group)


def perceptual_hash(grey: Pixels) -> int:
    """64 bits that survive re-encoding, resizing and other light: where grey `[h, w]` gets brighter to the right.

    This is dHash, by Neal Krawetz, "Kind of Like That" (The Hacker Factor Blog, 2013).
    """
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def near_duplicates(hashes: NDArray[np.uint64], distance: int = MAX_HASH_DISTANCE) -> list[tuple[int, ...]]:
    """Groups of indexes whose hashes are linked by steps of at most `distance` bits, in the order of `hashes`.

    Two such hashes have at least one of `distance + 1` bands of bits in common, so only hashes that share a band are
    compared: 100,000 images take seconds. Equal hashes are merged first, so a thousand copies cost no more than one.
    """
    unique, member = np.unique(hashes, return_inverse=True)
    group = np.arange(len(unique))
    for band in _bands(distance):
        _join_band(unique, unique & band, distance, group)
    return _in_order(group[member])


def _size(path: str) -> int:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL character in the name
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


def _standardised(thumbnails: Pixels) -> NDArray[np.float32]:
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    return _unit(flat - flat.mean(1, keepdims=True))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)


def _bands(distance: int) -> list[np.uint64]:
    """Masks that divide the 64 bits into `distance + 1` bands as evenly as possible."""
    edges = [64 * number // (distance + 1) for number in range(distance + 2)]
    return [np.uint64((1 << high) - (1 << low)) for low, high in pairwise(edges)]


def _join_band(hashes: NDArray[np.uint64], band: NDArray[np.uint64], distance: int, group: NDArray[np.int64]) -> None:
    """Join hashes that share this band. Compares each with the next, then the one after it, and so on, to save memory."""
    order = np.argsort(band, kind="stable")
    band = band[order]
    left = np.arange(len(order))
    for step in range(1, len(order)):
        left = left[: np.searchsorted(left, len(order) - step)]
        left = left[band[left] == band[left + step]]
        if not left.size:
            return
        a, b = order[left], order[left + step]
        apart = group[a] != group[b]
        a, b = a[apart], b[apart]
        near = _distances(hashes[a], hashes[b]) <= distance
        _join(a[near], b[near], group)


def _distances(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.asarray(_BITS_OF[(a ^ b).view(np.uint16).reshape(-1, 4)].sum(1), np.int64)


def _join(a: NDArray[np.int64], b: NDArray[np.int64], group: NDArray[np.int64]) -> None:
    """Merge the groups of each pair, in place. A group's number is its lowest index."""
    while (apart := np.flatnonzero(group[a] != group[b])).size:
        a, b = a[apart], b[apart]
        low, high = np.minimum(group[a], group[b]), np.maximum(group[a], group[b])
        group[high] = low  # NumPy keeps one of several writes; the next round joins the rest
        while (further := group[group] != group).any():
            group[further] = group[group[further]]


def _in_order(group: NDArray[np.int64]) -> list[tuple[int, ...]]:
    members: dict[int, list[int]] = {}
    for index, number in enumerate(group.tolist()):
        members.setdefault(number, []).append(index)
    return [tuple(indexes) for indexes in members.values() if len(indexes) > 1]
