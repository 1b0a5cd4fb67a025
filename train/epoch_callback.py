"""What happens around each epoch: its learning rate and seeds before it, and its validation after it."""

import math
import time
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.batches import Batches, Inputs
from edgeclf.train.checkpoint import Checkpoint
from edgeclf.train.clock import Clock
from edgeclf.train.epoch_notes import note_cost, note_epoch
from edgeclf.train.gain import image_losses
from edgeclf.train.recipes import Recipe
from edgeclf.train.results.evaluation import in_columns
from edgeclf.train.stages import Stage

_MEASURED_S = 4.0
_VALIDATED = 8  # images in one step


class Course(Protocol):
    """The training that the epochs belong to. problem: why it cannot go on, as a sentence, or ""."""

    recipe: Recipe
    plan: list[Stage]
    state: Checkpoint
    clock: Clock
    val_labels: NDArray[np.int64]
    problem: str

    def is_done(self, stage: Stage) -> bool:
        """Whether the stage trains no further epoch."""
        ...

    def keep(self, stage: Stage, row: Mapping[str, float], losses: NDArray[np.float64], model: keras.Model) -> None:
        """Save what an epoch has reached. losses: those of the validation images, or their mean."""
        ...


class EpochCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the learning rate before each epoch, and has its history, best weights and checkpoint saved after it."""

    def __init__(self, course: Course, stage: Stage, progress: Progress, images: int, val: Inputs) -> None:
        super().__init__()
        self._course = course
        self._stage = stage
        self._progress = progress
        self._val = val
        self._images = images
        self._shown = 0
        self._began = 0.0
        self._rate = 0.0
        self._timed_from: tuple[float, int] | None = None
        self._is_cost_known = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        recipe, state = self._course.recipe, self._course.state
        done = max(epoch / self._stage.epochs, self._course.clock.spent())
        factor = 0.5 * (1 + math.cos(math.pi * min(1.0, done))) if recipe.schedule == "cosine" else 1.0
        self._rate = self._stage.learning_rate * factor
        self.model.optimizer.learning_rate = self._rate
        _seed(self.model, recipe.seed, state.stage, epoch)
        self._shown = 0
        self._began = time.monotonic()
        later = (self._stage.epochs - epoch - 1) * self._images
        self._progress.restart(f"epoch {epoch + 1}/{self._stage.epochs}", later)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        shown = min(self._images, (batch + 1) * self._course.recipe.batch)
        loss, accuracy = (logs or {}).get("loss", math.nan), (logs or {}).get("accuracy", math.nan)
        self._progress.advance(shown - self._shown, f"loss {loss:.3f}, accuracy {accuracy:.1%}")
        self._shown = shown
        if not self._is_cost_known:
            self._learn_cost()

    def _learn_cost(self) -> None:
        """Say how long the stage takes, as soon as that can be told. The first step compiles, and says nothing about it."""
        progress, now = self._progress, time.monotonic()
        began, trained = self._timed_from = self._timed_from or (now, progress.new)
        if now - began >= _MEASURED_S:
            self._is_cost_known = True
            rest = self._images - progress.done + progress.later
            note_cost(self._stage, rest * (now - began) / (progress.new - trained))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        course, state, clock = self._course, self._course.state, self._course.clock
        if not math.isfinite(logs["loss"] + logs["val_loss"]):
            # An exception here would be lost in Keras's own clean-up.
            course.problem = f"the loss became infinite or NaN in epoch {len(state.rows) + 1}; try a lower --learning-rate"
            self.model.stop_training = True
            return
        losses = np.array([logs["val_loss"]])
        if course.plan[-1].refines:
            answers = in_columns(self.model.predict(Batches(self._val, _VALIDATED), verbose=0))
            losses = image_losses(answers, course.val_labels)
        clock.epoch_s = time.monotonic() - self._began
        clock.image_s = clock.image_s or clock.epoch_s / (self._images + len(self._val))
        row = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        course.keep(self._stage, {"learning_rate": self._rate} | row, losses, self.model)
        note_epoch(self._stage, state, clock.epoch_s)
        if course.is_done(self._stage):
            self.model.stop_training = True


def _seed(model: keras.Model, seed: int, stage: int, epoch: int) -> None:
    """Seed augmentation and dropout for this epoch, so that a resumed run draws the same random numbers."""
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for index, variable in enumerate(states):
        drawn = np.random.default_rng((seed, stage, epoch, index)).integers(0, 2**31, variable.shape)
        variable.assign(drawn.astype(variable.dtype))
