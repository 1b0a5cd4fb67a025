"""Batches for training steps, in an order that depends only on the seed and the epoch."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Inputs:
    """Inputs of a training stage, in memory or memory-mapped: images or features, and what they should give.

    values: `[versions * N, ...]`: the first version of all images, then the next one.
    labels: int64 `[N]`, or probabilities, float32 `[N, outputs]`.
    """

    values: NDArray[Any]
    labels: NDArray[Any]
    versions: int = 1

    def __len__(self) -> int:
        return len(self.labels)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Inputs in batches. With a seed, each epoch has another order, and a random version of each image; without, the first
    version of all images in their order. Memory-mapped inputs stay on disk.

    Inputs keep their dtype, and the network casts them: uint8 passes a quarter of the bytes of float32 through Python.

    seed: (seed of the training, stage, first epoch), so that a resumed training sees the same order.
    """

    def __init__(self, data: Inputs, size: int, seed: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self._values = data.values
        self._labels = data.labels
        self._versions = data.versions
        self._size = size
        self._seed = seed
        self._order, self._version = self._drawn()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        chosen = self._order[index * self._size : (index + 1) * self._size]
        return self._values[self._version[chosen] * len(self._labels) + chosen], self._labels[chosen]

    def on_epoch_end(self) -> None:
        if self._seed is not None:
            seed, stage, epoch = self._seed
            self._seed = seed, stage, epoch + 1
        self._order, self._version = self._drawn()

    def _drawn(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order of the images, and the version of each image."""
        order, version = np.arange(len(self._labels)), np.zeros(len(self._labels), np.int64)
        if self._seed is not None:
            random = np.random.default_rng(self._seed)
            random.shuffle(order)
            version = random.integers(0, self._versions, len(order))
        return order, version
