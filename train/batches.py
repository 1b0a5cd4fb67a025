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

    values: `[N, ...]` for each input of the model. labels: int64 `[N]`, or probabilities, float32 `[N, outputs]`.
    """

    values: tuple[NDArray[Any], ...]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, rows: NDArray[np.int64] | slice) -> Any:
        """What the model takes: one array, or a tuple of several."""
        taken = tuple(values[rows] for values in self.values)
        return taken[0] if len(taken) == 1 else taken


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Inputs in batches; with a seed, reshuffled for each epoch. Memory-mapped inputs stay on disk.

    Inputs keep their dtype, and the network casts them: uint8 passes a quarter of the bytes of float32 through Python.

    seed: (seed of the training, stage, first epoch), so that a resumed training sees the same order.
    """

    def __init__(self, data: Inputs, size: int, seed: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self._data = data
        self._size = size
        self._seed = seed
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[Any, NDArray[Any]]:
        chosen = self._order[index * self._size : (index + 1) * self._size]
        return self._data.of(chosen), self._data.labels[chosen]

    def on_epoch_end(self) -> None:
        if self._seed is not None:
            seed, stage, epoch = self._seed
            self._seed = seed, stage, epoch + 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        order = np.arange(len(self._data))
        if self._seed is not None:
            np.random.default_rng(self._seed).shuffle(order)
        return order
