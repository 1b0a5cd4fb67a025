"""The stages of a training and what each one trains: the whole network, or the layers after a frozen front."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.data.arrays import allocate, batches
from edgeclf.train.frozen_front import BATCH, FrozenFront
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.pretrained import cut_before_last, layers_before
from edgeclf.train.recipes import Recipe

FLOAT16: np.dtype[Any] = np.dtype(np.float16)
RANDOM_VIEWS = 4
"""Views of each training image for the head, where the augmentation is more than a mirror."""

View = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Stage:
    """front: what the trained layers read of frozen ones; empty if the whole network is trained. patience: as in Recipe.

    is_head: only the last layer is fitted, exactly and not in epochs. refines: the stage starts from a trained network, so
    only a gain that is more than noise counts.
    """

    name: str
    epochs: int
    learning_rate: float
    front: tuple[keras.KerasTensor, ...] = ()
    patience: int = 0
    is_head: bool = False
    refines: bool = False


def plan(recipe: Recipe, network: keras.Model) -> list[Stage]:
    """For a pretrained backbone: first the head, then the head and the last blocks. For other networks: one stage."""
    if not isinstance(recipe.network, Backbone) or recipe.network.weights == "none":
        return [Stage("all", recipe.epochs, recipe.learning_rate, patience=recipe.patience)]
    head = Stage("head", 1, 0.0, cut_before_last(network, 0), is_head=True)
    if not recipe.fine_tune:
        return [head]
    front = cut_before_last(network, recipe.fine_tune)
    return [head, Stage("fine-tune", recipe.epochs, recipe.learning_rate, front, recipe.patience, refines=True)]


def trainable_model(stage: Stage, recipe: Recipe, network: keras.Model) -> keras.Model:
    """The model to train in a stage; it shares its layers with `network`.

    Frozen layers whose output cannot change are left out, because `compute_features` runs them once. Batch normalisation
    keeps the statistics of the pretrained network: those of a few hundred images are worse.
    """
    for layer in network.layers:
        layer.trainable = True
    if stage.front:
        normalisations = (layer for layer in network.layers if isinstance(layer, layers.BatchNormalization))
        for layer in [*layers_before(network, stage.front), *normalisations]:
            layer.trainable = False
        if takes_features(stage, recipe):
            return keras.Model(stage.front if len(stage.front) > 1 else stage.front[0], network.output)
    if recipe.augmentation.is_nothing:
        return network
    image = keras.Input(network.input_shape[1:])  # float32: images arrive as uint8
    return keras.Sequential([image, recipe.augmentation.build(recipe.seed), network])


def takes_features(stage: Stage, recipe: Recipe) -> bool:
    """Whether frozen layers see the same few views of an image in every epoch, so that their output can be kept."""
    augmentation = recipe.augmentation
    return bool(stage.front) and (stage.is_head or augmentation.is_nothing or augmentation.is_mirror)


def views(augmentation: Augmentation, seed: int) -> list[View]:
    """What is shown of each training image whose features are kept, from uint8 `[N, H, W, C]` to the same.

    The first is the image itself. With a mirror, the second is its mirror image; with any other augmentation, all later
    ones are random.
    """
    if augmentation.is_nothing:
        return [_itself]
    if augmentation.is_mirror:
        return [_itself, lambda images: images[:, :, ::-1]]
    change = augmentation.build(seed)

    def changed(images: Pixels) -> Pixels:
        found = np.asarray(change(images.astype(np.float32), training=True))
        return np.asarray(found.round().clip(0, 255), np.uint8)

    return [_itself, *[changed] * (RANDOM_VIEWS - 1)]


def compute_features(
    front: FrozenFront, images: Pixels, shown: Sequence[View], caches: Sequence[Path]
) -> tuple[np.ndarray[Any, Any], ...]:
    """The float16 output of each tensor of `front`, `[views * N, ...]`: for all images, one view after the other.

    Large arrays are memory-mapped at `caches`, one file for each tensor.
    """
    count = len(shown) * len(images)
    features = tuple(
        allocate((count, *tensor.shape[1:]), cache, FLOAT16) for tensor, cache in zip(front.tensors, caches, strict=True)
    )
    done = 0
    with Progress("computing features", count) as progress:
        for outputs in front(_shown(images, shown)):
            size = len(outputs[0])
            for values, output in zip(features, outputs, strict=True):
                values[done : done + size] = output
            done += size
            progress.advance(size)
    return features


def _itself(images: Pixels) -> Pixels:
    return images


def _shown(images: Pixels, shown: Sequence[View]) -> Iterator[Pixels]:
    return (view(batch) for view in shown for batch in batches(images, BATCH))
