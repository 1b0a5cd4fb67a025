"""Fitting a network to images, stage by stage: the best weights kept, every epoch safe on the disk."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.terminal.console import Terminated, note
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.batches import Batches, Inputs
from edgeclf.train.checkpoint import CHECKPOINT_NAME, Checkpoint
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.devices import HalfPrecision, several_devices
from edgeclf.train.history import HISTORY_NAME, write_history
from edgeclf.train.networks.architectures import head_of
from edgeclf.train.recipes import Recipe
from edgeclf.train.stages import Stage, is_cacheable, onward, plan, trainee, views

_OPTIMIZERS: dict[str, Callable[[float], keras.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
}


@dataclass(frozen=True)
class Trained:
    """The network with its best weights, without augmentation.

    best_epoch: the epoch they come from, counted from 1 over all stages; epochs: how many there were. interrupted: the
    user stopped it. problem: why it stopped early, as a sentence, or nothing.
    """

    network: keras.Model
    best_epoch: int
    epochs: int
    interrupted: bool = False
    problem: str = ""


def fit(recipe: Recipe, classes: int, train: Arrays, val: Arrays, folder: Path, *, resume: bool = False) -> Trained:
    """Train on `train`, stop on `val`; `folder` gets `history.csv`, and a checkpoint from which `resume` goes on.

    Two runs with one seed on the CPU give the same weights, interrupted and resumed or not. Ctrl-C ends it with the best
    weights so far, once there are any. Raises DatasetError when the loss is no number in the first epoch already.
    """
    keras.utils.set_random_seed(recipe.seed)
    with several_devices():
        with HalfPrecision(recipe.mixed_precision):
            network = recipe.network.build(train.images.shape[1:], classes)
        state = Checkpoint.read(folder / CHECKPOINT_NAME) if resume else Checkpoint()
        run = _Fitting(recipe, network, train, val, folder, state)
        interrupted = run.stages()
    if run.problem and not run.state.best_epoch:
        raise DatasetError(run.problem)
    if recipe.mixed_precision:
        in_half_precision, network = network, recipe.network.build(train.images.shape[1:], classes)
        network.set_weights(in_half_precision.get_weights())
    return Trained(network, run.state.best_epoch, len(run.state.rows), interrupted, run.problem)


class _Fitting:
    """One training under way: its parts, and where it stands."""

    def __init__(
        self, recipe: Recipe, network: keras.Model, train: Arrays, val: Arrays, folder: Path, state: Checkpoint
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.plan = plan(recipe, network)
        self.train = Inputs(train.images, train.labels)
        self.val = Inputs(val.images, val.labels)
        self.folder = folder
        self.checkpoint = folder / CHECKPOINT_NAME
        self.state = state
        self.problem = ""
        self._began = time.monotonic() - state.seconds
        self.epoch_s = 0.0  # what the last epoch took: the next one must fit into what is left of the time
        self._features: list[Inputs] = []

    def stages(self) -> bool:
        """Run what is left of every stage, and leave the network with its best weights; whether the user stopped it."""
        try:
            for number, stage in enumerate(self.plan):
                if number < self.state.stage:
                    continue
                if number > self.state.stage:
                    self.state.stage, self.state.epoch, self.state.waited = number, 0, 0
                    self.state.weights = self.state.optimizer = self.state.best = []
                if self._stage(stage):
                    return True
                if self.problem:
                    break
            return False
        finally:
            for layer in self.network.layers:
                layer.trainable = True
            for cache in self.folder.glob(".*.f16"):
                with suppress(OSError):  # Windows keeps a file that is still mapped
                    cache.unlink(missing_ok=True)

    def _stage(self, stage: Stage) -> bool:
        model = trainee(stage, self.recipe, self.network, len(self.train))
        if self.state.weights:
            model.set_weights(self.state.weights)
        if not self.state.best and self.state.best_epoch:
            self.state.best = model.get_weights()  # what the stage before found; this one has to be better
        try:
            if not self._is_done(stage):
                self._fit(stage, model)
            return False
        except KeyboardInterrupt as error:
            if isinstance(error, Terminated) or not self.state.best_epoch:
                raise
            note("stopped; going on with the best weights so far (once more to leave at once)")
            return True
        finally:
            if self.state.best:
                model.set_weights(self.state.best)

    def _inputs(self, stage: Stage) -> list[Inputs]:
        """What the stage is trained on and stopped by. The front that every stage freezes is run once for all of them."""
        start = self.plan[-1].cut
        if stage.cut is None or start is None or not is_cacheable(self.recipe):
            return [self.train, self.val]
        caches = [self.folder / f".{name}.{stage.name}.f16" for name in ("train", "val")]
        if not self._features:
            both = (self.recipe.augmentation.is_mirror, False)
            self._features = [
                views(start, self.network, images, cache.with_suffix(".start.f16"), mirrored=mirrored)
                for images, cache, mirrored in zip((self.train, self.val), caches, both, strict=True)
            ]
        return [onward(start, stage.cut, *pair) for pair in zip(self._features, caches, strict=True)]

    def _fit(self, stage: Stage, model: keras.Model) -> None:
        recipe = self.recipe
        train, val = self._inputs(stage)
        loss = "binary_crossentropy" if head_of(self.network) == "sigmoid" else "sparse_categorical_crossentropy"
        optimizer = _OPTIMIZERS[recipe.optimizer](stage.learning_rate)
        # XLA ("auto") made a step three times slower on two CPU cores.
        model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
        if self.state.optimizer:
            optimizer.build(model.trainable_variables)
            for variable, value in zip(optimizer.variables, self.state.optimizer, strict=True):
                variable.assign(value)
        label = "training" if stage.name == "all" else f"training ({stage.name})"
        with Progress(label, (stage.epochs - self.state.epoch) * len(train)) as progress:
            model.fit(
                Batches(train, recipe.batch, (recipe.seed, self.state.stage, self.state.epoch)),
                validation_data=Batches(val, recipe.batch),
                initial_epoch=self.state.epoch,
                epochs=stage.epochs,
                shuffle=False,  # Batches shuffles images; fit would shuffle whole batches
                class_weight=_weights(self.train.labels, recipe.balance),
                verbose=0,
                callbacks=[_Watch(self, stage, progress, len(train))],
            )

    def _is_done(self, stage: Stage) -> bool:
        """Whether nothing is left of a stage: its epochs, its patience or the time have run out."""
        state, recipe = self.state, self.recipe
        exhausted = recipe.patience and state.waited >= recipe.patience
        late = recipe.time_s is not None and state.rows and self.seconds() + self.epoch_s > recipe.time_s
        return bool(state.epoch >= stage.epochs or exhausted or late)

    def seconds(self) -> float:
        """Spent so far on features and epochs, in this process and, before a kill, in those before it."""
        return time.monotonic() - self._began


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Looks after each epoch: the learning rate before it; the record, the best weights and the checkpoint after it."""

    def __init__(self, run: _Fitting, stage: Stage, progress: Progress, images: int) -> None:
        super().__init__()
        self._run = run
        self._stage = stage
        self._progress = progress
        self._images = images
        self._shown = 0
        self._validation = ""
        self._began = 0.0
        self._rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        recipe, state = self._run.recipe, self._run.state
        done = max(epoch / self._stage.epochs, self._run.seconds() / (recipe.time_s or math.inf))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done))) if recipe.schedule == "cosine" else 1.0
        self._rate = self._stage.learning_rate * fall
        self.model.optimizer.learning_rate = self._rate
        _seed(self.model, recipe.seed, state.stage, epoch)
        self._shown = 0
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        shown = min(self._images, (batch + 1) * self._run.recipe.batch)
        loss, accuracy = (logs or {}).get("loss", math.nan), (logs or {}).get("accuracy", math.nan)
        self._progress.advance(shown - self._shown, f"loss {loss:.3f}, accuracy {accuracy:.3f}{self._validation}")
        self._shown = shown

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        run, state = self._run, self._run.state
        if not math.isfinite(logs["loss"] + logs["val_loss"]):
            # An exception here would be lost in Keras's own clean-up.
            run.problem = f"the loss became infinite or NaN in epoch {len(state.rows) + 1}; try a lower --learning-rate"
            self.model.stop_training = True
            return
        state.epoch, state.waited = epoch + 1, state.waited + 1
        run.epoch_s, state.seconds = time.monotonic() - self._began, run.seconds()
        row: dict[str, float | str] = {"stage": self._stage.name, "epoch": len(state.rows) + 1}
        row["learning_rate"] = self._rate
        state.rows.append(row | {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")})
        state.weights = self.model.get_weights()
        if logs["val_loss"] < state.best_loss:
            state.best_loss, state.best_epoch, state.waited = float(logs["val_loss"]), len(state.rows), 0
            state.best = state.weights
        state.optimizer = [keras.ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables]
        write_history(state.rows, run.folder / HISTORY_NAME)  # first: after a kill in between, the epoch is run again
        state.write(run.checkpoint)
        self._validation = f"; validation {logs['val_loss']:.3f}, {logs['val_accuracy']:.3f}"
        if run._is_done(self._stage):
            self.model.stop_training = True


def _weights(labels: NDArray[np.int64], balance: bool) -> dict[int, float] | None:
    """Every class weighs as much as any other in all: N / (classes * its images), as in scikit-learn's `balanced`."""
    if not balance:
        return None
    counts = np.bincount(labels)
    return {label: float(len(labels) / (len(counts) * count)) for label, count in enumerate(counts)}


def _seed(model: keras.Model, seed: int, stage: int, epoch: int) -> None:
    """Give every source of chance in the model (augmentation, dropout) the state that it has in this epoch of any run."""
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for index, variable in enumerate(states):
        drawn = np.random.default_rng((seed, stage, epoch, index)).integers(0, 2**31, variable.shape)
        variable.assign(drawn.astype(variable.dtype))
