"""Fitting a network to arrays: batches, early stopping on validation loss, the best weights kept."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.console import Progress
from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.networks.augment import augmentation


@dataclass(frozen=True)
class Recipe:
    """What to train and how. The learning rate (Adam) falls from its start to zero along a cosine over all epochs.

    patience: epochs without a lower validation loss after which training stops.
    """

    network: ConvNet = field(default_factory=ConvNet)
    epochs: int = 40
    batch: int = 32
    learning_rate: float = 2e-3
    patience: int = 12
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "learning_rate"):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name.replace('_', '-')} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed must be from 0 to 4294967295, not {self.seed}")


@dataclass(frozen=True)
class Trained:
    """The network with its best weights, without augmentation; the epoch they come from, from 1; how many there were."""

    network: keras.Model
    best_epoch: int
    epochs: int


def fit(recipe: Recipe, classes: int, train: Arrays, val: Arrays, history: Path) -> Trained:
    """Train on `train`, stop on `val`, log every epoch to the CSV file `history`.

    Two runs with one seed on the CPU give the same weights. Raises DatasetError when the loss becomes NaN.
    """
    keras.utils.set_random_seed(recipe.seed)
    network = recipe.network.build(train.images.shape[1:], classes)
    layers = [augmentation(recipe.seed), network] if recipe.augment else [network]
    trainee = keras.Sequential(layers)
    steps = math.ceil(len(train) / recipe.batch)
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps * recipe.epochs)
    loss = "binary_crossentropy" if classes == 2 else "sparse_categorical_crossentropy"
    # XLA ("auto") made a step three times slower on two CPU cores.
    trainee.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"], jit_compile=False)
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=recipe.patience, restore_best_weights=True)
    with Progress("training", recipe.epochs, "epochs") as progress:
        report = _Report(progress)
        log = trainee.fit(
            Batches(train, recipe.batch, recipe.seed),
            validation_data=Batches(val, recipe.batch, None),
            epochs=recipe.epochs,
            shuffle=False,  # Batches shuffles pictures; fit would shuffle whole batches
            verbose=0,
            callbacks=[stopping, keras.callbacks.CSVLogger(str(history)), report],
        )
    if report.problem:
        raise DatasetError(report.problem)
    losses = log.history["val_loss"]
    return Trained(network, int(np.argmin(losses)) + 1, len(losses))


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Arrays as batches of float32 pictures; with a seed, in a new order each epoch. Memory-mapped arrays stay on disk."""

    def __init__(self, arrays: Arrays, size: int, seed: int | None) -> None:
        super().__init__()
        self._arrays = arrays
        self._size = size
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(arrays))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        chosen = self._order[index * self._size : (index + 1) * self._size]
        return self._arrays.images[chosen].astype(np.float32), self._arrays.labels[chosen]

    def on_epoch_end(self) -> None:
        if self._random is not None:
            self._random.shuffle(self._order)


class _Report(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes each epoch on to the progress display, and stops at a loss that is no number."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self.problem = ""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        if not math.isfinite(logs["loss"] + logs["val_loss"]):
            # An exception here would leave history.csv open: Keras closes it only at a regular end.
            self.problem = f"the loss became infinite or NaN in epoch {epoch + 1}; try a lower --learning-rate"
            self.model.stop_training = True
            return
        detail = f"accuracy {logs['accuracy']:.3f}, validation {logs['val_accuracy']:.3f}"
        self._progress.advance(1, detail)
