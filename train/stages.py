"""The stages of a training, and what is trained in each: all of a network, or what follows a frozen front."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.batches import Inputs
from edgeclf.train.data.arrays import allocate, batches
from edgeclf.train.networks.backbones import Backbone, cut_before_last
from edgeclf.train.recipes import Recipe

FLOAT16: np.dtype[Any] = np.dtype(np.float16)
HEAD_PRIOR = 3.0
"""Weight of the squared norm of the head against the summed loss. Of 1, 3, 10 and 30 it was best or close to it in twofold
cross-validation on two photo sets of 400 and 450 images."""


@dataclass(frozen=True)
class Stage:
    """cut: the layer up to which the network is frozen; None trains all of it."""

    name: str
    epochs: int
    learning_rate: float
    cut: keras.Layer | None = None


def plan(recipe: Recipe, network: keras.Model) -> list[Stage]:
    """A pretrained backbone: first the head alone, then with the last blocks. Any other network: all of it at once."""
    if not isinstance(recipe.network, Backbone) or recipe.network.weights == "none":
        return [Stage("all", recipe.epochs, recipe.learning_rate)]
    head = Stage("head", recipe.epochs, recipe.learning_rate, cut_before_last(network, 0))
    if not recipe.fine_tune:
        return [head]
    cut = cut_before_last(network, recipe.fine_tune)
    return [head, Stage("fine-tune", recipe.fine_tune_epochs, recipe.fine_tune_rate, cut)]


def trainee(stage: Stage, recipe: Recipe, network: keras.Model, images: int) -> keras.Model:
    """The model whose weights the stage changes with so many images; its layers are the network's own.

    Frozen layers whose answers cannot change are left out: `views` computes them once. Batch norm keeps the statistics
    of a pretrained network: those of a few hundred images are worse.
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
    image = keras.Input(network.input_shape[1:])  # float32: images come as uint8
    return keras.Sequential([image, recipe.augmentation.build(recipe.seed), network])


def views(cut: keras.Layer, network: keras.Model, images: Inputs, cache: Path, *, mirrored: bool) -> Inputs:
    """What the frozen front, up to `cut`, makes of images, in float16; mirrored: and of the mirrored ones after them."""
    front = keras.Model(network.input, cut.output)
    steps = (1, -1) if mirrored else (1,)
    values = allocate((len(steps) * len(images), *cut.output.shape[1:]), cache, FLOAT16)
    with Progress("computing features", len(values)) as progress:
        for number, step in enumerate(steps):
            start = number * len(images)
            for part in batches(images.values, 32):
                values[start : start + len(part)] = front.predict_on_batch(part[:, :, ::step].astype(np.float32))
                start += len(part)
                progress.advance(len(part))
    return Inputs(values, np.tile(images.labels, len(steps)))


def onward(start: keras.Layer, cut: keras.Layer, features: Inputs, cache: Path) -> Inputs:
    """From features at `start` to features at `cut`, which lies further on."""
    if cut is start:
        return features
    between = keras.Model(start.output, cut.output)
    values = allocate((len(features), *cut.output.shape[1:]), cache, FLOAT16)
    position = 0
    for part in batches(features.values, 32):
        values[position : position + len(part)] = between.predict_on_batch(part.astype(np.float32))
        position += len(part)
    return Inputs(values, features.labels)


def is_cacheable(recipe: Recipe) -> bool:
    """Whether a frozen front sees the same few views of an image in every epoch."""
    return recipe.augmentation.is_nothing or recipe.augmentation.is_mirror
