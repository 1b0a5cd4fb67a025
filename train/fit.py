"""Fits a network to images, stage by stage. The best weights are kept, and every epoch is saved to disk."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.terminal.console import Terminated, note
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.batches import Batches, Inputs
from edgeclf.train.checkpoint import CHECKPOINT_NAME, Checkpoint
from edgeclf.train.clock import Clock
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.devices import HalfPrecision, several_devices
from edgeclf.train.epoch_callback import EpochCallback
from edgeclf.train.epoch_notes import note_left_out, note_result, note_stage
from edgeclf.train.frozen_front import FrozenFront
from edgeclf.train.gain import leaves_nothing_to_gain
from edgeclf.train.networks.architectures import head_of
from edgeclf.train.recipes import Recipe
from edgeclf.train.soft_targets import inputs, loss_and_accuracy
from edgeclf.train.stages import Stage, compute_features, is_cacheable, plan, trainable_model

_OPTIMIZERS: dict[str, Callable[[float], keras.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
}


@dataclass(frozen=True)
class Trained:
    """The network with its best weights, without augmentation.

    best_epoch: the epoch of these weights, counted from 1 over all stages. epochs: the number of epochs. interrupted:
    whether the user stopped the training. problem: why it stopped early, as a sentence, or "".
    """

    network: keras.Model
    best_epoch: int
    epochs: int
    interrupted: bool = False
    problem: str = ""


def fit(
    recipe: Recipe,
    classes: int,
    train: Arrays,
    val: Arrays,
    folder: Path,
    *,
    resume: bool = False,
    clock: Clock | None = None,
) -> Trained:
    """Train on `train`, with early stopping on `val`. Writes `history.csv` and a checkpoint for `resume` to `folder`.

    clock: of the whole command; without one, the recipe's time is for this function alone.

    On the CPU, the same seed gives the same weights, even if the training was interrupted and resumed. After Ctrl-C the
    best weights so far are returned, unless no epoch is complete yet. Raises DatasetError if the loss becomes infinite or
    NaN in the first epoch.
    """
    keras.utils.set_random_seed(recipe.seed)
    with several_devices():
        with HalfPrecision(recipe.mixed_precision):
            network = recipe.network.build(train.images.shape[1:], classes)
        state = Checkpoint.read(folder / CHECKPOINT_NAME) if resume else Checkpoint()
        clock = clock or Clock(recipe.time_s)
        fitting = Fitting(recipe=recipe, network=network, train=train, val=val, folder=folder, state=state, clock=clock)
        interrupted = fitting.run()
    if fitting.problem and not state.best_epoch:
        raise DatasetError(fitting.problem)
    if recipe.mixed_precision:
        in_half_precision, network = network, recipe.network.build(train.images.shape[1:], classes)
        network.set_weights(in_half_precision.get_weights())
    return Trained(network, state.best_epoch, len(state.rows), interrupted, fitting.problem)


class Fitting:
    """A training in progress: its network and images, and the state that is saved after each epoch."""

    def __init__(
        self,
        *,
        recipe: Recipe,
        network: keras.Model,
        train: Arrays,
        val: Arrays,
        folder: Path,
        state: Checkpoint,
        clock: Clock,
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.plan = plan(recipe, network)
        self.train, self.val = inputs(train, val, head_of(network))
        self.val_labels = val.labels
        self.is_taught = train.answers is not None
        self.folder = folder
        self.state = state
        self.problem = ""
        self.clock = clock
        clock.earlier_s = state.seconds
        self._features: dict[str, list[Inputs]] = {}

    def run(self) -> bool:
        """Run the remaining stages and leave the network with its best weights. Returns whether the user stopped it."""
        try:
            for number, stage in enumerate(self.plan):
                if number < self.state.stage:
                    continue
                if number > self.state.stage:
                    self.state.stage, self.state.epoch, self.state.waited = number, 0, 0
                    self.state.weights = self.state.optimizer = self.state.best = []
                if not self.state.epoch and self._cannot_gain(stage):
                    continue
                if self._run_stage(stage):
                    return True
                if self.problem:
                    break
            return False
        finally:
            for layer in self.network.layers:
                layer.trainable = True
            for cache in self.folder.glob(".*.f16"):
                with suppress(OSError):  # Windows cannot remove a file that is still mapped
                    cache.unlink(missing_ok=True)

    def _cannot_gain(self, stage: Stage) -> bool:
        """Whether fine-tuning is left out; says so. Without early stopping, it never is."""
        if not (stage.refines and stage.patience):
            return False
        images, best = len(self.val_labels), self.state.rows[self.state.best_epoch - 1]
        errors = round(images * (1 - float(best["val_accuracy"])))
        if leaves_nothing_to_gain(errors, images):
            note_left_out(stage, errors, images)
            return True
        return False

    def _run_stage(self, stage: Stage) -> bool:
        model = trainable_model(stage, self.recipe, self.network, len(self.train))
        if self.state.weights:
            model.set_weights(self.state.weights)
        if not self.state.best and self.state.best_epoch:
            self.state.best = model.get_weights()  # the result of the previous stage, which this one has to improve on
        try:
            if not self.is_done(stage):
                began = time.monotonic()
                note_stage(stage, self.state)
                self._fit(stage, model)
                note_result(stage, self.state, time.monotonic() - began)
            return False
        except KeyboardInterrupt as error:
            if isinstance(error, Terminated) or not self.state.best_epoch:
                raise
            note("stopped; continuing with the best weights so far (press Ctrl-C again to quit)")
            return True
        finally:
            if self.state.best:
                model.set_weights(self.state.best)

    def _inputs(self, stage: Stage) -> list[Inputs]:
        """Training and validation inputs of a stage. Layers that are frozen run only once, for all stages."""
        if stage.cut is None or not is_cacheable(self.recipe):
            return [self.train, self.val]
        if not self._features:
            began = time.monotonic()
            stages = self.plan[self.state.stage :]
            cuts = [stage.cut for stage in stages if stage.cut is not None]
            mirrored = (self.recipe.augmentation.is_mirror, False)
            front = FrozenFront(self.network, cuts, self.train.values)
            for name, images, is_mirrored in zip(("train", "val"), (self.train, self.val), mirrored, strict=True):
                caches = [self.folder / f".{name}.{stage.name}.f16" for stage in stages]
                features = compute_features(front, images, caches, mirrored=is_mirrored)
                for at, values in zip(stages, features, strict=True):
                    self._features.setdefault(at.name, []).append(values)
            seen = sum(len(values) for values in self._features[stage.name])
            self.clock.image_s = (time.monotonic() - began) / seen
        return self._features[stage.name]

    def _fit(self, stage: Stage, model: keras.Model) -> None:
        recipe = self.recipe
        train, val = self._inputs(stage)
        self._compile(stage, model)
        with Progress("training", len(train)) as progress:
            model.fit(
                Batches(train, recipe.batch, (recipe.seed, self.state.stage, self.state.epoch)),
                validation_data=Batches(val, recipe.batch),
                initial_epoch=self.state.epoch,
                epochs=stage.epochs,
                shuffle=False,  # Batches shuffles images; fit would shuffle whole batches
                class_weight=_class_weights(self.train.labels) if recipe.balance else None,
                verbose=0,
                callbacks=[EpochCallback(self, stage, progress, len(train), val)],
            )

    def _compile(self, stage: Stage, model: keras.Model) -> None:
        loss, accuracy = loss_and_accuracy(head_of(self.network), is_taught=self.is_taught)
        optimizer = _OPTIMIZERS[self.recipe.optimizer](stage.learning_rate)
        # XLA ("auto") made a step three times slower on two CPU cores.
        model.compile(optimizer, loss, metrics=[accuracy], jit_compile=False)
        if self.state.optimizer:
            optimizer.build(model.trainable_variables)
            for variable, value in zip(optimizer.variables, self.state.optimizer, strict=True):
                variable.assign(value)

    def is_done(self, stage: Stage) -> bool:
        """Whether the stage has reached its last epoch, run out of patience, or run out of time."""
        state = self.state
        exhausted = stage.patience and state.waited >= stage.patience
        late = state.rows and not self.clock.fits_epoch()
        return bool(state.epoch >= stage.epochs or exhausted or late)


def _class_weights(labels: NDArray[np.int64]) -> dict[int, float]:
    """N / (classes * images of the class), as scikit-learn's `balanced`: every class has the same total weight."""
    counts = np.bincount(labels)
    return {label: float(len(labels) / (len(counts) * count)) for label, count in enumerate(counts)}
