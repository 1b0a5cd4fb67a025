"""The training: a few epochs in which the quantised network learns to answer as the float network does."""

import math
import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.qat.network import QuantizedNetwork
from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress

_SHOWN_IMAGES = 4_000
"""Over all epochs. Fewer images are shown more often, up to _MAX_EPOCHS times."""
_MAX_EPOCHS = 12
_HELD_OUT = 10
"""Every tenth image chooses the best epoch. The gate's images must not."""
_BATCH = 16
LEARNING_RATE = 2e-5
_WARM_UP = 0.1
"""The share of the steps in which the rate rises from 0. Without it, Adam's first steps are as large as its later ones."""
_SEED = 0
_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class Lessons:
    """images: uint8 `[N, H, W, C]`. answers: of the float network, float32 `[N, units]`."""

    images: Pixels
    answers: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen: "slice | NDArray[np.intp]") -> "Lessons":
        return Lessons(self.images[chosen], self.answers[chosen])


def train(network: QuantizedNetwork, lessons: Lessons, learning_rate: float = LEARNING_RATE) -> None:
    """Train the network, and leave in it the weights and ranges of the best epoch.

    The network before the first epoch takes part, so training never makes it worse. Raises ModelError for NaN.
    """
    held_out = np.arange(len(lessons)) % _HELD_OUT == 0
    training = lessons[np.flatnonzero(~held_out)] if len(lessons) > 1 else lessons
    choosing = lessons[np.flatnonzero(held_out)]
    epochs = max(2, min(_MAX_EPOCHS, _SHOWN_IMAGES // len(lessons)))
    note(f"quantisation-aware training: {plural(epochs, 'epoch')} of {plural(len(training), 'image')}")
    trainer = _Trainer(network, epochs * math.ceil(len(training) / _BATCH), learning_rate)
    best, kept = trainer.error(choosing), network.state()
    note(f"before training: difference from the float network {best:.4f}")
    with Progress("training", len(training)) as progress:
        for epoch in range(epochs):
            began = time.monotonic()
            progress.restart(f"epoch {epoch + 1}/{epochs}", (epochs - epoch - 1) * len(training))
            trainer.run_epoch(training, epoch, progress)
            error = trainer.error(choosing)
            note(f"epoch {epoch + 1}/{epochs}: difference {error:.4f}; {time.monotonic() - began:.0f} s")
            if error < best:
                best, kept = error, network.state()
    for variable, numbers in zip(network.variables, kept, strict=True):
        variable.assign(numbers)


class _Trainer:
    """Adam with a rate that falls to 0 along a cosine. Keras's optimizers take only Keras's own variables."""

    def __init__(self, network: QuantizedNetwork, steps: int, learning_rate: float) -> None:
        self._network = network
        self._learning_rate = learning_rate
        self._steps = steps
        self._step = 0
        self._moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in network.variables]
        images = tf.TensorSpec((None, *network.graph.input_shape), tf.uint8)
        answers, number = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((), tf.float32)
        self._update = tf.function(self._update_all, input_signature=[images, answers, number, number], autograph=False)
        self._loss = tf.function(self._difference, input_signature=[images, answers], autograph=False)

    def run_epoch(self, lessons: Lessons, epoch: int, progress: Progress) -> None:
        order = np.random.default_rng((_SEED, epoch)).permutation(len(lessons))
        for start in range(0, len(order), _BATCH):
            batch = lessons[order[start : start + _BATCH]]
            warm = min(1.0, (self._step + 1) / (_WARM_UP * self._steps))
            rate = warm * self._learning_rate * 0.5 * (1 + math.cos(math.pi * self._step / self._steps))
            self._step += 1
            loss = float(self._update(batch.images, batch.answers, np.float32(rate), np.float32(self._step)))
            if not math.isfinite(loss):
                raise ModelError("quantisation-aware training reached NaN or infinity; leave out --qat")
            progress.advance(len(batch), f"difference {loss:.4f}")

    def error(self, lessons: Lessons) -> float:
        """The mean difference from the float network's answers."""
        parts = [lessons[start : start + _BATCH] for start in range(0, len(lessons), _BATCH)]
        return sum(float(self._loss(part.images, part.answers)) * len(part) for part in parts) / len(lessons)

    def _difference(self, images: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        """The Kullback-Leibler divergence."""
        given, answers = (tf.clip_by_value(each, 1e-7, 1.0) for each in (self._network(images), answers))
        return tf.reduce_mean(tf.reduce_sum(answers * (tf.math.log(answers) - tf.math.log(given)), axis=1))

    def _update_all(self, images: tf.Tensor, answers: tf.Tensor, rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        variables = self._network.variables
        with tf.GradientTape() as tape:
            loss = self._difference(images, answers)
        beta1, beta2 = _BETAS
        for variable, gradient, (first, second) in zip(
            variables, tape.gradient(loss, variables), self._moments, strict=True
        ):
            if gradient is None:
                continue
            first.assign(beta1 * first + (1 - beta1) * gradient)
            second.assign(beta2 * second + (1 - beta2) * gradient**2)
            unbiased = first / (1 - beta1**step), second / (1 - beta2**step)
            variable.assign_sub(rate * unbiased[0] / (tf.sqrt(unbiased[1]) + 1e-7))
        return loss
