"""Results: the prediction for an image, and the one outcome of each input."""

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.photo import NO_PHOTO, Photo
from edgeclf.runtime.images.preprocess import AnyImage

_BARS = 5
"""Classes that a notebook shows."""


def _nothing() -> None:
    """For a prediction whose image is not known."""


def at_hand(image: AnyImage) -> Callable[[], AnyImage | None]:
    """Gives the image later. Pixels are not kept in memory for that: None after their owner has dropped them."""
    if isinstance(image, str | os.PathLike):
        return lambda: image
    try:
        return weakref.ref(image)
    except TypeError:  # bytes
        return _nothing


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A probability for each class. They sum to 1, but for what an 8-bit output loses by rounding."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    """float32 `[classes]`"""
    image: Callable[[], AnyImage | None] = _nothing
    """The image that this is the prediction of, as long as it is at hand: see `at_hand`. Not kept by pickle."""
    novelty: float | None = None
    """How unlike all that the model has learned the image is, from 0. Above 1, it is `unknown`. None if the model cannot
    say: see `Novelty`.
    """
    heatmap: NDArray[np.float32] | None = None
    """float32 `[h, w, classes]`: what each place of the image adds to each class, the whole image in `h` times `w` places;
    None unless it was asked for.
    """
    embedding: NDArray[np.float32] | None = None
    """float32 `[D]`: what the last layer of the network sees; None unless it was asked for."""

    @property
    def label(self) -> str:
        """The class with the highest probability; the first one if several are equal."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """The highest probability, 0 to 1."""
        return float(self.probabilities.max())

    @property
    def is_unknown(self) -> bool:
        """Whether the image is unlike all that the model has learned, so that no class fits. False if it cannot say."""
        return self.novelty is not None and self.novelty > 1

    @property
    def scores(self) -> dict[str, float]:
        """Probability by class, in the model's order."""
        return dict(zip(self.classes, self.probabilities.tolist(), strict=True))

    def heat(self, label: str | None = None) -> NDArray[np.float32] | None:
        """Where the image speaks for a class, by default the label: float32 `[h, w]`, higher for more; None without heatmap.

        It is the class's map in `heatmap` less the mean of all maps: what is added to every class alike decides nothing.
        Raises ValueError for a label that is no class.
        """
        if self.heatmap is None:
            return None
        maps = self.heatmap[..., self.classes.index(self.label if label is None else label)]
        return np.asarray(maps - self.heatmap.mean(axis=-1), np.float32)

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[i], float(self.probabilities[i])) for i in order]

    def __repr__(self) -> str:
        novelty = "" if self.novelty is None else f", novelty={self.novelty:.4f}"
        return f"Prediction(label={self.label!r}, confidence={self.confidence:.4f}{novelty})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Prediction, (self.classes, self.probabilities, _nothing, self.novelty, self.heatmap, self.embedding)

    def _repr_html_(self) -> str:
        from edgeclf.runtime.model.prediction_html import prediction_html

        return prediction_html(self.top(_BARS), len(self.classes) - _BARS, self.image())


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an image has no prediction."""

    reason: Reason
    detail: str
    errno: int | None = None
    """The operating system's error number, if reading the file failed."""

    def __repr__(self) -> str:
        return f"Failure({self.reason.value!r}, {self.detail!r})"

    @classmethod
    def of(cls, error: ImageError) -> "Failure":
        return cls(error.reason, error.detail, error.errno)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one input: either a prediction or a failure.

    size_hw: height and width of the stored image in pixels; None if its header could not be read.
    photo: if it was asked for.
    """

    frame: Frame
    result: Prediction | Failure
    size_hw: tuple[int, int] | None = None
    photo: Photo = NO_PHOTO

    @property
    def name(self) -> str:
        """The path in the result row."""
        return self.frame.name

    def __repr__(self) -> str:
        return f"Outcome({self.name!r}, {self.result!r})"
