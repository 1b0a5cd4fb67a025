"""Fits a network to images, stage by stage. The best weights are kept, and every epoch is saved to disk."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.terminal.console import Terminated, note
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.runtime.terminal.signals import Interrupts
from edgeclf.train.batches import Batches, Inputs
from edgeclf.train.checkpoint import CHECKPOINT_NAME, Checkpoint
from edgeclf.train.clock import Clock
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.devices import HalfPrecision, several_devices
from edgeclf.train.epoch_callback import EpochCallback
from edgeclf.train.epoch_notes import note_left_out, note_result, note_stage
from edgeclf.train.frozen_front import FrozenFront
from edgeclf.train.gain import is_better, leaves_nothing_to_gain
from edgeclf.train.head import fit_last_layer, measure
from edgeclf.train.history import HISTORY_NAME, write_history
from edgeclf.train.networks.architectures import head_of
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.recipes import Recipe
from edgeclf.train.soft_targets import inputs, loss_and_accuracy
from edgeclf.train.stages import Stage, compute_features, plan, takes_features, trainable_model, views
from edgeclf.train.unknown import learned_rows

_OPTIMIZERS: dict[str, Callable[[float], keras.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
}


@dataclass(frozen=True)
class Trained:
    """The network with its best weights, without augmentation.

    best_epoch: the epoch of these weights, counted from 1 over all stages. epochs: the number of epochs. interrupted:
    whether the user stopped the training. problem: why it stopped early, as a sentence, or "". learned: what the last layer
    sees of the `learned_rows` of the training images, float32 `[N, D]`, if that is known.
    """

    network: keras.Model
    best_epoch: int
    epochs: int
    interrupted: bool = False
    problem: str = ""
    learned: NDArray[np.float32] | None = None


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
    return Trained(
        network, state.best_epoch, len(state.rows), interrupted, problem=fitting.problem, learned=fitting.learned()
    )


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
        self.images = {"train": train, "val": val}
        self.val_labels = val.labels
        self._balance = _class_weights(train.labels) if recipe.balance else None
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

    def learned(self) -> NDArray[np.float32] | None:
        """As in Trained: known if only the head was fitted, and to the training images themselves."""
        first = self.plan[0]
        is_of_head = self.state.best_epoch == 1 and first.is_head and first.name in self._features
        if not is_of_head or self.images["train"].answers is not None:
            return None
        (values,) = self._features[first.name][0].values
        return np.asarray(values[learned_rows(len(self.train))], np.float32)

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
        model = trainable_model(stage, self.recipe, self.network)
        if self.state.weights:
            model.set_weights(self.state.weights)
        if not self.state.best and self.state.best_epoch:
            self.state.best = model.get_weights()  # the result of the previous stage, which this one has to improve on
        try:
            if not self.is_done(stage):
                began = time.monotonic()
                if stage.is_head:
                    self._fit_head(stage, model)
                else:
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
        if not takes_features(stage, self.recipe):
            return [self.train, self.val]
        if not self._features:
            self._compute_features()
        return self._features[stage.name]

    def _compute_features(self) -> None:
        began = time.monotonic()
        stages = [stage for stage in self.plan[self.state.stage :] if takes_features(stage, self.recipe)]
        front = FrozenFront(self.network, [tensor for stage in stages for tensor in stage.front], self.train.values[0])
        shown = {"train": views(self.recipe.augmentation, self.recipe.seed), "val": views(Augmentation(), 0)}
        for name, images in (("train", self.train), ("val", self.val)):
            caches = [self.folder / f".{name}.{number}.f16" for number in range(len(front.tensors))]
            features = iter(compute_features(front, images.values[0], shown[name], caches))
            labels = np.concatenate([images.labels] * len(shown[name]))
            for stage in stages:
                values = tuple(islice(features, len(stage.front)))
                self._features.setdefault(stage.name, []).append(Inputs(values, labels))
        rows = sum(len(values) for values in self._features[stages[0].name])
        self.clock.image_s = (time.monotonic() - began) / rows

    def _fit_head(self, stage: Stage, model: keras.Model) -> None:
        """Fit the last layer exactly. In the history, it is one epoch."""
        train, val = self._inputs(stage)
        head = fit_last_layer(self.network, train, self.images["train"], self._balance)
        (loss, accuracy, _), (val_loss, val_accuracy, losses) = (
            measure(head, features, self.images[name]) for name, features in (("train", train), ("val", val))
        )
        self.clock.epoch_s = len(train) * self.clock.image_s  # a guess at those of the next stage
        row = {"loss": loss, "accuracy": accuracy, "val_loss": val_loss, "val_accuracy": val_accuracy}
        self.keep(stage, row, losses, model)

    def keep(self, stage: Stage, row: Mapping[str, float], losses: NDArray[np.float64], model: keras.Model) -> None:
        """Save what an epoch has reached. losses: those of the validation images, or their mean."""
        with Interrupts() as interrupts:  # an exception inside np.savez becomes another one
            self.state.seconds = self.clock.seconds()
            _count_epoch(self.state, stage, row, losses, model)
            write_history(self.state.rows, self.folder / HISTORY_NAME)  # first: after a kill, the epoch is repeated
            self.state.write(self.folder / CHECKPOINT_NAME)
        interrupts.pass_on()

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
                class_weight=self._balance,
                verbose=0,
                callbacks=[EpochCallback(self, stage, progress, len(train), val)],
            )

    def _compile(self, stage: Stage, model: keras.Model) -> None:
        is_taught = self.images["train"].answers is not None
        loss, accuracy = loss_and_accuracy(head_of(self.network), is_taught=is_taught)
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


def _count_epoch(
    state: Checkpoint, stage: Stage, row: Mapping[str, float], losses: NDArray[np.float64], model: keras.Model
) -> None:
    state.epoch, state.waited = state.epoch + 1, state.waited + 1
    state.rows.append({"stage": stage.name, "epoch": len(state.rows) + 1, **row})
    state.weights = model.get_weights()
    refines_earlier = stage.refines and state.rows[state.best_epoch - 1]["stage"] != stage.name
    if is_better(losses, state.best_losses, beyond_noise=refines_earlier):
        state.best_losses, state.best_epoch, state.waited = losses.tolist(), len(state.rows), 0
        state.best = state.weights
    variables = model.optimizer.variables if model.compiled else ()
    state.optimizer = [keras.ops.convert_to_numpy(variable) for variable in variables]
