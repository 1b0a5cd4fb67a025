"""A label that does not flicker: the mean of the last answers, left only for one that clearly leads."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.prediction import Prediction


@dataclass(frozen=True, slots=True)
class SmoothingOptions:
    """smooth: answers in the mean. hysteresis: lead in probability, 0 to 1, at which another class takes over; with
    twice as much as the one that is held, it does in any case.

    threshold: with a lower confidence the answer is unsure; an unsure one is sure again only when it is above the threshold
    by the hysteresis, or half-way from it to 1 where that is less.
    """

    smooth: int = 1
    hysteresis: float = 0.1
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.smooth < 1:
            raise OptionError(f"--smooth takes a number of frames of at least 1, not {self.smooth}")
        for flag, value in (("--hysteresis", self.hysteresis), ("--conf", self.threshold)):
            if not 0 <= value <= 1:
                raise OptionError(f"{flag} takes a probability from 0 to 1, not {value}")

    @property
    def sure_again(self) -> float:
        """The confidence at which an unsure answer is sure again."""
        return min(self.threshold + self.hysteresis, (1 + self.threshold) / 2)


NO_SMOOTHING = SmoothingOptions()


@dataclass(frozen=True, slots=True)
class SmoothedPrediction:
    """mean: of the last answers. label: the class that is held; of the mean, it need not be the most probable one.

    confidence: its probability in the mean. sure: whether that is enough.
    """

    mean: Prediction
    label: str
    confidence: float
    sure: bool


class Smoother:
    """The answers of one source, one after the other.

    >>> steady = Smoother(SmoothingOptions(smooth=2, hysteresis=0.2))
    >>> answers = ([0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9])
    >>> [steady.update(Prediction(("cat", "dog"), np.array(each, np.float32))).label for each in answers]
    ['cat', 'cat', 'dog', 'dog']
    """

    def __init__(self, smoothing: SmoothingOptions) -> None:
        self._smoothing = smoothing
        self._last: deque[NDArray[np.float32]] = deque(maxlen=smoothing.smooth)
        self._held: int | None = None
        self._sure = False

    def update(self, prediction: Prediction) -> SmoothedPrediction:
        """Take in the next answer."""
        self._last.append(prediction.probabilities)
        mean = np.asarray(np.mean(self._last, axis=0), np.float32)
        leading = int(mean.argmax())
        lead = min(self._smoothing.hysteresis, mean[leading] / 2)  # of many classes, the first may have little
        if self._held is None or mean[leading] - mean[self._held] > lead:
            self._sure = leading != self._held  # it is judged as a first answer is
            self._held = leading
        confidence = float(mean[self._held])
        self._sure = confidence >= (self._smoothing.threshold if self._sure else self._smoothing.sure_again)
        return SmoothedPrediction(
            Prediction(prediction.classes, mean), prediction.classes[self._held], confidence, self._sure
        )

    def forget(self) -> None:
        """Begin anew: what comes next has nothing to do with what came before."""
        self._last.clear()
        self._held = None
        self._sure = False
