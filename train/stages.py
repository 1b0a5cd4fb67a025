"""The stages of a training and what each one trains: the whole network, or the layers after a frozen front."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.batches import Inputs
from edgeclf.train.data.arrays import allocate, batches
from edgeclf.train.frozen_front import BATCH, FrozenFront
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.pretrained import cut_before_last
from edgeclf.train.recipes import Recipe

FLOAT16: np.dtype[Any] = np.dtype(np.float16)
HEAD_PRIOR = 3.0
"""Weight of the squared norm of the head against the summed loss. Among 1, 3, 10 and 30 it was best or close to it in
twofold cross-validation on two photo sets of 400 and 450 images."""


@dataclass(frozen=True)
class Stage:
    """cut: the last frozen layer; None trains the whole network. patience: as in Recipe.

    refines: the stage starts from a trained network, so only a gain that is more than noise counts.
    """

    name: str
    epochs: int
    learning_rate: float
    cut: keras.Layer | None = None
    patience: int = 0
    refines: bool = False


def plan(recipe: Recipe, network: keras.Model) -> list[Stage]:
    """For a pretrained backbone: first the head, then the head and the last blocks. For other networks: one stage."""
    if not isinstance(recipe.network, Backbone) or recipe.network.weights == "none":
        return [Stage("all", recipe.epochs, recipe.learning_rate, patience=recipe.patience)]
    head = Stage("head", recipe.epochs, recipe.learning_rate, cut_before_last(network, 0), recipe.patience)
    if not recipe.fine_tune:
        return [head]
    cut = cut_before_last(network, recipe.fine_tune)
    patience = min(recipe.patience, recipe.fine_tune_patience)  # 0, for none, is the lower one
    return [head, Stage("fine-tune", recipe.fine_tune_epochs, recipe.fine_tune_rate, cut, patience, refines=True)]


def trainable_model(stage: Stage, recipe: Recipe, network: keras.Model, images: int) -> keras.Model:
    """The model to train in a stage; it shares its layers with `network`. images: the number of training images.

    Frozen layers whose output cannot change are left out, because `compute_features` runs them once. Batch normalisation
    keeps the statistics of the pretrained network: those of a few hundred images are worse.
    """
    for layer in network.layers:
        layer.trainable = True
    if stage.cut is not None:
        frozen = network.layers[: network.layers.index(stage.cut) + 1]
        for layer in [*frozen, *(layer for layer in network.layers if isinstance(layer, layers.BatchNormalization))]:
            layer.trainable = False
        # A weak normal prior on the head's weights, as in logistic regression: there are more features than images.
        network.layers[-1].kernel.regularizer = keras.regularizers.L2(HEAD_PRIOR / images)
        if is_cacheable(recipe):
            return keras.Model(stage.cut.output, network.output)
    if recipe.augmentation.is_nothing:
        return network
    image = keras.Input(network.input_shape[1:])  # float32: images arrive as uint8
    return keras.Sequential([image, recipe.augmentation.build(recipe.seed), network])


def compute_features(front: FrozenFront, images: Inputs, caches: Sequence[Path], *, mirrored: bool) -> list[Inputs]:
    """The float16 output of each cut of `front`. mirrored: those of the mirrored images follow.

    Large arrays are memory-mapped at `caches`, one file for each cut.
    """
    steps = (1, -1) if mirrored else (1,)
    count = len(steps) * len(images)
    features = [
        allocate((count, *cut.output.shape[1:]), cache, FLOAT16) for cut, cache in zip(front.cuts, caches, strict=True)
    ]
    shown = (batch[:, :, ::step] for step in steps for batch in batches(images.values, BATCH))
    done = 0
    with Progress("computing features", count) as progress:
        for outputs in front(shown):
            size = len(outputs[0])
            for values, output in zip(features, outputs, strict=True):
                values[done : done + size] = output
            done += size
            progress.advance(size)
    labels = np.concatenate([images.labels] * len(steps))
    return [Inputs(values, labels) for values in features]


def is_cacheable(recipe: Recipe) -> bool:
    """Whether frozen layers see the same few versions of an image in every epoch, so that their output can be kept."""
    return recipe.augmentation.is_nothing or recipe.augmentation.is_mirror
