"""What the frozen layers of the default network see in images: enough for a logistic regression, without a training."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.train.frozen_front import FrozenFront
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.pretrained import count_earlier, cut_before_last
from edgeclf.train.stages import compute_features, views


def frozen_features(images: Pixels, cache: Path) -> tuple[NDArray[Any], int]:
    """Float16 `[2 * N, D]`, with progress, and how many of D, the first ones, come from earlier layers.

    The mirror images come behind the images.

    images: uint8 `[N, H, W, 3]`. Large arrays are memory-mapped at `cache`.
    """
    network = Backbone().build(images.shape[1:], 2)
    front = FrozenFront(network, cut_before_last(network, 0), images)
    (features,) = compute_features(front, images, views(Augmentation(horizontal_flip=True), 0), [cache])
    return features, count_earlier(network)
