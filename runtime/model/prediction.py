"""What comes out: an answer for an image, and the one outcome that every input ends as."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The answer for one image: a probability for each class, summing to 1."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    """float32 `[classes]`"""

    @property
    def label(self) -> str:
        """The class with the highest probability; of equals, the first."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """The highest probability, 0 to 1."""
        return float(self.probabilities.max())

    @property
    def scores(self) -> dict[str, float]:
        """Every class with its probability, in the model's order."""
        return dict(zip(self.classes, self.probabilities.tolist(), strict=True))

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[i], float(self.probabilities[i])) for i in order]

    def __repr__(self) -> str:
        return f"Prediction(label={self.label!r}, confidence={self.confidence:.4f})"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an image has no answer."""

    reason: Reason
    detail: str
    errno: int | None = None
    """What the operating system said, where reading the file failed."""

    @classmethod
    def of(cls, error: ImageError) -> "Failure":
        return cls(error.reason, error.detail, error.errno)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input: an answer or a failure, never both and never neither.

    size_hw: of the image as stored, in pixels, where its header could be read.
    """

    frame: Frame
    result: Prediction | Failure
    size_hw: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The path in its row."""
        return self.frame.name
