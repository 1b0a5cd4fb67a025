"""The stages of a training, and what is trained in each: all of a network, or what follows a frozen front."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edgeclf.runtime.console import Progress
from edgeclf.train.data.arrays import Arrays, allocate, batches
from edgeclf.train.networks.backbones import Backbone, cut_before_last
from edgeclf.train.recipes import Recipe


@dataclass(frozen=True)
class Stage:
    """cut: the layer up to which the network is frozen; None trains all of it."""

    name: str
    epochs: int
    learning_rate: float
    cut: keras.Layer | None = None


@dataclass(frozen=True)
class Inputs:
    """What a stage is trained on, in memory or mapped: values `[N, ...]`, and labels int64 `[N]`."""

    values: NDArray[Any]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def plan(recipe: Recipe, network: keras.Model) -> list[Stage]:
    """A pretrained backbone: first the head alone, then with the last blocks. Any other network: all of it at once."""
    if not isinstance(recipe.network, Backbone) or recipe.network.weights == "none":
        return [Stage("all", recipe.epochs, recipe.learning_rate)]
    head = Stage("head", recipe.epochs, recipe.learning_rate, cut_before_last(network, 0))
    if not recipe.fine_tune:
        return [head]
    cut = cut_before_last(network, recipe.fine_tune)
    return [head, Stage("fine-tune", recipe.fine_tune_epochs, recipe.fine_tune_rate, cut)]


def trainee(stage: Stage, recipe: Recipe, network: keras.Model) -> keras.Model:
    """The model whose weights the stage changes; its layers are the network's own.

    Frozen layers whose answers cannot change are left out: `inputs` computes them once. Batch norm keeps the statistics
    of a pretrained network: those of a few hundred pictures are worse.
    """
    for layer in network.layers:
        layer.trainable = True
    if stage.cut is not None:
        frozen = network.layers[: network.layers.index(stage.cut) + 1]
        for layer in [*frozen, *(layer for layer in network.layers if isinstance(layer, layers.BatchNormalization))]:
            layer.trainable = False
        if is_cacheable(recipe):
            return keras.Model(stage.cut.output, network.output)
    if recipe.augmentation.is_nothing:
        return network
    return keras.Sequential([recipe.augmentation.build(recipe.seed), network])


def inputs(
    stage: Stage, recipe: Recipe, network: keras.Model, pictures: Arrays, cache: Path, *, mirrored: bool = False
) -> Inputs:
    """What the stage's trainee takes for `pictures`: themselves, or what the frozen front makes of them, in float16.

    mirrored: the same for the mirrored pictures after them, in place of a random flip.
    """
    if stage.cut is None or not is_cacheable(recipe):
        return Inputs(pictures.images, pictures.labels)
    front = keras.Model(network.input, stage.cut.output)
    views = (1, -1) if mirrored else (1,)
    count = len(pictures)
    values = allocate((len(views) * count, *stage.cut.output.shape[1:]), cache, np.dtype(np.float16))
    with Progress(f"computing features for {stage.name}", len(values)) as progress:
        for view, step in enumerate(views):
            start = view * count
            for part in batches(pictures.images, 32):
                answers = front.predict_on_batch(part[:, :, ::step].astype(np.float32))
                values[start : start + len(part)] = answers
                start += len(part)
                progress.advance(len(part))
    return Inputs(values, np.tile(pictures.labels, len(views)))


def is_cacheable(recipe: Recipe) -> bool:
    """Whether a frozen front sees the same few views of a picture in every epoch."""
    return recipe.augmentation.is_nothing or recipe.augmentation.is_mirror
