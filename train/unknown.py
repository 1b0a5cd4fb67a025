"""What the last layer of a network sees of images, and what is fitted on it to tell images unlike all that was learned."""

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.train.data.arrays import batches
from edgeclf.train.frozen_front import BATCH, FrozenFront
from edgeclf.train.results.unknown import NoveltyTested, fit_novelty

MOST_IMAGES = 4000
"""Training images that are looked at. More of them change the axes little."""


class Embedding:
    """From images, uint8 `[N, H, W, C]`, to the input of the network's last layer, float32 `[N, D]`."""

    def __init__(self, network: keras.Model) -> None:
        """Raises ValueError for a network that does not end in a dense layer."""
        head = network.layers[-1]
        if not isinstance(head, keras.layers.Dense) or len(head.input.shape) != 2:
            raise ValueError(f"{network.name} does not end in a dense layer")
        self._network, self._features = network, head.input
        self._front: FrozenFront | None = None

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        if self._front is None:
            self._front = FrozenFront(self._network, [self._features], images)
        found = [np.asarray(features) for (features,) in self._front(batches(images, BATCH))]
        return np.concatenate(found).astype(np.float32, copy=False)


def learned_rows(count: int) -> NDArray[np.int64]:
    """The positions of the training images that are looked at: all, or MOST_IMAGES spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(int))


def fit_unknown(
    network: keras.Model,
    train: Pixels,
    seen: Mapping[str, NDArray[np.float32]],
    learned: NDArray[np.float32] | None = None,
) -> NoveltyTested | None:
    """Fit on the training images, find the levels with the validation images, and measure the test images.

    seen: embeddings of the splits `val` and `test`, which may be missing. learned: those of the `learned_rows` of `train`,
    if they are known. None for a network that does not end in a dense layer, and for few images.
    """
    if "val" not in seen:
        return None
    if learned is None:
        learned = Embedding(network)(train[learned_rows(len(train))])
    novelty = fit_novelty(learned, seen["val"], network.count_params())
    if novelty is None:
        return None
    tested = novelty.of(seen["test"]) if "test" in seen else np.empty(0)
    return NoveltyTested(novelty, novelty.of(seen["val"]), tested)
