"""What to train and how: the settings of a training run, and the combinations of them that have a name."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.spelling import require_choice
from edgeclf.train.networks.architectures import ConvNet, FlatNet, Network
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.families import native_size

Optimizer = Literal["adam", "rmsprop", "sgd"]
Schedule = Literal["cosine", "constant"]


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    epochs, optimizer, learning_rate, schedule and patience are for what is trained in epochs: of a pretrained backbone, the
    blocks that are fine-tuned. Its head is fitted exactly.
    schedule: "cosine" lowers the learning rate to 0 over all epochs; "constant" keeps it.
    patience: training stops after this many epochs without a lower validation loss; 0 turns early stopping off.
    balance: weight classes by the inverse of their frequency.
    fine_tune: the number of blocks at the end of a pretrained backbone that are trained after the head.
    time_s: seconds for the whole training, with evaluation and report; at least one epoch is trained.
    mixed_precision: compute in half precision on a GPU; the saved network is float32.
    """

    network: Network = field(default_factory=ConvNet)
    epochs: int = 40
    batch: int = 32
    optimizer: Optimizer = "adam"
    learning_rate: float = 2e-3
    schedule: Schedule = "cosine"
    patience: int = 12
    augmentation: Augmentation = field(default_factory=Augmentation)
    balance: bool = False
    fine_tune: int = 0
    time_s: float | None = None
    mixed_precision: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "learning_rate"):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name.replace('_', '-')} must be above 0, not {getattr(self, name)}")
        for name in ("patience", "fine_tune"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name.replace('_', '-')} must be at least 0, not {getattr(self, name)}")
        if self.time_s is not None and not 0 < self.time_s < math.inf:
            raise OptionError(f"time must be above 0 seconds, not {self.time_s}")
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed must be from 0 to 4294967295, not {self.seed}")
        for name, allowed in (("optimizer", Optimizer), ("schedule", Schedule)):
            require_choice(f"--{name}", getattr(self, name), get_args(allowed))


@dataclass(frozen=True)
class Preset:
    """A recipe with its image size and its shares of the training, validation and test split."""

    recipe: Recipe
    size_hw: tuple[int, int]
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)


LIGHT = Augmentation(width_shift=0.05, height_shift=0.05, zoom=0.1, horizontal_flip=True, contrast=0.1)
CNN = Preset(Recipe(ConvNet(), augmentation=LIGHT), (128, 128))
"""A small network, trained from scratch: for images unlike photographs, and for devices too small for a backbone."""


def transfer(network: Backbone) -> Preset:
    """A pretrained backbone: first its head is trained, then its last blocks, on features that are computed only once.

    The images are an eighth larger than the network's native size, in steps of 16: the random crops of its training showed
    objects larger than they are in whole images (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    """
    height, width = (round(side * 8 / 7 / 16) * 16 for side in native_size(network.name))
    recipe = Recipe(network, epochs=60, learning_rate=3e-3, patience=10, augmentation=Augmentation(horizontal_flip=True))
    if network.weights != "none":
        recipe = replace(recipe, epochs=4, learning_rate=2e-4, patience=4, fine_tune=3)
    return Preset(recipe, (height, width))


_TUTORIAL = Recipe(learning_rate=1e-3, schedule="constant", patience=0)
PRESETS = {
    "cnn": CNN,
    "boolean": Preset(
        replace(_TUTORIAL, network=FlatNet((16, 32, 64), (256,)), epochs=20, patience=5),
        size_hw=(256, 256),
        shares=(0.7, 0.2, 0.1),
    ),
    "intro": Preset(
        replace(
            _TUTORIAL,
            network=FlatNet((32,), (128,)),
            epochs=25,
            augmentation=Augmentation(shear=0.2, zoom=0.2, horizontal_flip=True, fill="nearest"),
        ),
        size_hw=(64, 64),
    ),
    "dogs-vs-cats": Preset(
        replace(_TUTORIAL, network=FlatNet((32, 32), two_classes="softmax"), epochs=20, batch=64), size_hw=(224, 224)
    ),
    "homer-bart": Preset(
        replace(
            _TUTORIAL,
            network=FlatNet((32, 32, 32), (3137, 3137), two_classes="softmax"),
            epochs=50,
            batch=8,
            augmentation=Augmentation(rotation=7, zoom=0.2, horizontal_flip=True, fill="nearest"),
        ),
        size_hw=(64, 64),
    ),
    "elephants-cars": Preset(
        replace(
            _TUTORIAL,
            network=FlatNet((32, 32, 64), (64,), dropout=0.5),
            epochs=50,
            batch=16,
            optimizer="rmsprop",
            augmentation=Augmentation(
                rotation=40,
                width_shift=0.2,
                height_shift=0.2,
                shear=0.2,
                zoom=0.2,
                horizontal_flip=True,
                fill="nearest",
            ),
        ),
        size_hw=(300, 300),
    ),
}
"""Networks trained from scratch, by name: our own, and those of five well-known tutorials, exactly as they are there."""
