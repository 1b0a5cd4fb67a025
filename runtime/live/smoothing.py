"""A label that does not flicker: the mean of the last answers, with hysteresis before another label takes over."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.model.prediction import Prediction


@dataclass(frozen=True, slots=True)
class SmoothingOptions:
    """smooth: how many answers are averaged.

    hysteresis: another class takes over when its probability is higher by more than this (0 to 1), or more than twice as
    high. threshold: an answer with less confidence is unsure. To be sure again it must exceed the threshold by the
    hysteresis, or by half of what is left to 1 if that is less. highest_novelty: an answer with more is unknown. To be known
    again it must be below it by the hysteresis, as a share.
    """

    smooth: int = 1
    hysteresis: float = 0.1
    threshold: float = 0.0
    highest_novelty: float = 1.0

    def __post_init__(self) -> None:
        if self.smooth < 1:
            raise OptionError(f"--smooth takes a number of frames, at least 1, not {self.smooth}")
        for flag, value in (("--hysteresis", self.hysteresis), ("--conf", self.threshold)):
            if not 0 <= value <= 1:
                raise OptionError(f"{flag} takes a probability from 0 to 1, not {value}")

    @property
    def sure_again(self) -> float:
        """The confidence at which an unsure answer becomes sure again."""
        return min(self.threshold + self.hysteresis, (1 + self.threshold) / 2)

    @property
    def known_again(self) -> float:
        """The novelty below which an unknown answer becomes known again."""
        return self.highest_novelty * (1 - self.hysteresis)


NO_SMOOTHING = SmoothingOptions()


@dataclass(frozen=True, slots=True)
class SmoothedPrediction:
    """mean: of the last answers. label: the current class, which is not always the most probable one of the mean.

    confidence: the label's probability in the mean. sure: whether that is enough. unknown: whether no class fits.
    """

    mean: Prediction
    label: str
    confidence: float
    sure: bool
    unknown: bool = False


class Smoother:
    """Smooths the answers of one source, in order.

    >>> smoother = Smoother(SmoothingOptions(smooth=2, hysteresis=0.2))
    >>> answers = ([0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9])
    >>> [smoother.update(Prediction(("cat", "dog"), np.array(each, np.float32))).label for each in answers]
    ['cat', 'cat', 'dog', 'dog']
    """

    def __init__(self, options: SmoothingOptions) -> None:
        self._options = options
        self._last: deque[NDArray[np.float32]] = deque(maxlen=options.smooth)
        self._novelties: deque[float] = deque(maxlen=options.smooth)
        self._current: int | None = None
        self._sure = False
        self._unknown = False

    def update(self, prediction: Prediction) -> SmoothedPrediction:
        """Add the next answer."""
        self._last.append(prediction.probabilities)
        mean = np.asarray(np.mean(self._last, axis=0), np.float32)
        best = int(mean.argmax())
        lead = min(self._options.hysteresis, mean[best] / 2)  # with many classes, even the best may have a low probability
        if self._current is None or mean[best] - mean[self._current] > lead:
            self._sure = best != self._current  # a new class needs only the threshold, as the first answer does
            self._current = best
        confidence = float(mean[self._current])
        self._sure = confidence >= (self._options.threshold if self._sure else self._options.sure_again)
        label = prediction.classes[self._current]
        novelty = self._mean_novelty(prediction)
        mean_answer = Prediction(prediction.classes, mean, novelty=novelty)
        return SmoothedPrediction(mean_answer, label, confidence, self._sure, self._unknown)

    def reset(self) -> None:
        """Forget all earlier answers."""
        self._last.clear()
        self._novelties.clear()
        self._current = None
        self._sure = self._unknown = False

    def _mean_novelty(self, prediction: Prediction) -> float | None:
        """The mean over the last answers; decides whether it is unknown. None if the model cannot say."""
        if prediction.novelty is None:
            return None
        self._novelties.append(prediction.novelty)
        novelty = float(np.mean(self._novelties))
        self._unknown = novelty > (self._options.known_again if self._unknown else self._options.highest_novelty)
        return novelty
