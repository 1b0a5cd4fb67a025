"""What the owner of a model without a card says about it."""

from dataclasses import dataclass
from pathlib import Path

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Channels
from edgeclf.runtime.images.preprocess import Fit, Preprocess, Resize
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.conventions.facts import Fact, Facts
from edgeclf.runtime.terminal.console import show_size


@dataclass(frozen=True)
class ModelDescription:
    """classes: labels in the order of the output columns. size_hw: height and width of the model's images; None for the
    size that its file says. grey: the images must be grey; without it, they are what the file says. replaces_card: whether
    a file that carries a card is described as well; otherwise its own card counts. resize, fit: see `Preprocess`; None for
    what the file says, or `shrink` and `stretch` if it does not.

    Raises OptionError or ModelError for values that no card can have.
    """

    classes: tuple[str, ...]
    size_hw: tuple[int, int] | None = None
    grey: bool = False
    resize: Resize | None = None
    fit: Fit | None = None
    replaces_card: bool = True

    def __post_init__(self) -> None:
        self._card(self.size_hw or (1, 1), 1)

    def card_for(self, path: Path, shape: tuple[int, int, int]) -> ModelCard:
        """The card of the model at `path`, which takes images of `shape`, `(H, W, C)`.

        Raises OptionError if it does not fit.
        """
        height, width, channels = shape
        if self.size_hw not in (None, (height, width)):
            size = show_size(self.size_hw)
            raise OptionError(f"--imgsz {size} does not fit {path}, which takes {show_size((height, width))}; leave it out")
        if self.grey and channels != 1:
            raise OptionError(f"--grey does not fit {path}, which takes images in colour; leave it out")
        return self._card((height, width), 1 if channels == 1 else 3)

    @property
    def usual(self) -> Facts:
        """How images are made unless the flags or the file say otherwise."""
        return Facts(resize=Fact("shrink", "default"), fit=Fact("stretch", "default"))

    def facts(self) -> Facts:
        """What is said, with the flag as the origin of each fact."""
        return Facts(
            classes=Fact(self.classes, "--classes"),
            size_hw=Fact(self.size_hw, "--imgsz") if self.size_hw else None,
            resize=Fact(self.resize, "--resize") if self.resize else None,
            fit=Fact(self.fit, "--fit") if self.fit else None,
        )

    def _card(self, size_hw: tuple[int, int], channels: Channels) -> ModelCard:
        # Nearly every other training drops alpha, as Keras and Pillow do.
        return ModelCard(self.classes, Preprocess(size_hw, channels, self.resize or "shrink", self.fit or "stretch", "none"))
