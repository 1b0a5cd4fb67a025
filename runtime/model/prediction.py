"""Results: the prediction for an image, and the one outcome of each input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.photo import NO_PHOTO, Photo


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A probability for each class. They sum to 1, but for what an 8-bit output loses by rounding."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    """float32 `[classes]`"""

    @property
    def label(self) -> str:
        """The class with the highest probability; the first one if several are equal."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """The highest probability, 0 to 1."""
        return float(self.probabilities.max())

    @property
    def scores(self) -> dict[str, float]:
        """Probability by class, in the model's order."""
        return dict(zip(self.classes, self.probabilities.tolist(), strict=True))

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[i], float(self.probabilities[i])) for i in order]

    def __repr__(self) -> str:
        return f"Prediction(label={self.label!r}, confidence={self.confidence:.4f})"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an image has no prediction."""

    reason: Reason
    detail: str
    errno: int | None = None
    """The operating system's error number, if reading the file failed."""

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
