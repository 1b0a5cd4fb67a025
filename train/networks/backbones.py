"""Networks pretrained on ImageNet, with a new head: a small data set is rarely enough to train more than the head."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeclf.runtime.errors import OptionError
from edgeclf.train.networks.families import family_of, official_name

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Backbone:
    """A network without its top, followed by global average pooling, dropout and a new head.

    The head of EfficientNet-Lite also sees the averages of earlier feature maps.

    name: efficientnet-lite0 to 2, or a network of keras.applications; case, - and _ do not matter.
    weights: "imagenet", "none" (train from scratch), or a file of weights for the network without its top.
    dropout: dropout rate before the head, 0 to under 1.
    """

    name: str = "efficientnet-lite0"
    weights: str = "imagenet"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout must be from 0 to under 1, not {self.dropout}")
        if self.weights not in ("imagenet", "none") and not Path(self.weights).is_file():
            raise OptionError(f"weights must be imagenet, none or a file, and there is no file {self.weights}")
        official_name(self.name)

    def build(self, shape: tuple[int, int, int], classes: int) -> "keras.Model":
        """A network for images of `shape` `[H, W, C]`. A grey channel is repeated three times.

        Raises OptionError if the images are too small or the weights are not available, and ModelError if a file of weights
        does not fit.
        """
        from edgeclf.train.networks.pretrained import build_pretrained

        self.check(shape)
        return build_pretrained(self.name, self.weights, self.dropout, shape, classes)

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise OptionError if images of `shape` are too small."""
        name = official_name(self.name)
        smallest = family_of(name).smallest
        if min(shape[:2]) < smallest:
            raise OptionError(f"{name} needs images of at least {smallest} pixels, not {min(shape[:2])}")
