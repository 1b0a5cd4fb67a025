"""Images decoded once into one uint8 array, so that an epoch costs only the network's time."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import DatasetError, ImageError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.prediction import Failure
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.storage.atomic_write import cannot_write
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.dataset import Split

UINT8: np.dtype[Any] = np.dtype(np.uint8)
IN_MEMORY_BYTES = 1 << 30
"""A larger array is a memory-mapped file."""


@dataclass(frozen=True)
class Arrays:
    """Preprocessed images and their labels.

    images: uint8 `[N, H, W, C]`. labels: int64 `[N]`. paths: N names, if the images came from files. failures: the images
    that could not be read, and why. answers: what a teacher answers, float32 `[N, classes]`; None without a teacher.
    """

    images: Pixels
    labels: NDArray[np.int64]
    paths: tuple[str, ...] = ()
    failures: tuple[tuple[str, Failure], ...] = ()
    answers: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def load(split: Split, preprocess: Preprocess, name: str, cache: Path | None = None) -> Arrays:
    """Decode a split through `preprocess` on all cores, with progress. Unreadable images are left out and listed.

    cache: the file for an array above IN_MEMORY_BYTES; the caller removes it. Raises DatasetError if no image is left.
    """
    images: Pixels = allocate((len(split), *preprocess.shape), cache)
    kept: list[int] = []
    failures: list[tuple[str, Failure]] = []
    with Progress(f"reading {name}", len(split)) as progress:
        for index, pixels in enumerate(ordered_map(lambda path: _read(path, preprocess), split.paths, usable_cores())):
            if isinstance(pixels, Failure):
                failures.append((split.paths[index], pixels))
            else:
                images[len(kept)] = pixels
                kept.append(index)
            progress.advance()
    if not kept:
        first = f"; the first: {failures[0][0]}: {failures[0][1].detail}" if failures else ""
        raise DatasetError(f"none of the {len(split):,} {name} images can be read{first}")
    labels = np.asarray(split.labels, np.int64)[kept]
    return Arrays(images[: len(kept)], labels, tuple(split.paths[i] for i in kept), tuple(failures))


def batches(images: Pixels, size: int) -> Iterator[Pixels]:
    """Slices of at most `size` images."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def allocate(shape: tuple[int, ...], cache: Path | None, dtype: np.dtype[Any] = UINT8) -> NDArray[Any]:
    """An empty array: in memory up to IN_MEMORY_BYTES, or mapped to the file `cache`. Raises OutputError."""
    size_bytes = math.prod(shape) * dtype.itemsize
    if cache is None or size_bytes <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype)
    try:
        with open(cache, "wb") as file:  # without holes, which would end the process later if the disk is full
            file.truncate(size_bytes)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size_bytes)
    except OSError as error:
        raise cannot_write(cache, error) from None
    return np.memmap(cache, dtype, "r+", shape=shape)


def _read(path: str, preprocess: Preprocess) -> Pixels | Failure:
    try:
        return preprocess(path)
    except ImageError as error:
        return Failure.of(error)
