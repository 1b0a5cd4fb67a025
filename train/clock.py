"""How long a training has taken, and whether another epoch fits into its time limit."""

import math
import time

_REPORT_S = 8.0
"""Saving the model, the report with its plots, and leaving TensorFlow took 5 to 8 s on two cores."""
_SLOWER = 3.0
"""The evaluation runs in Keras, which took up to three times as long as LiteRT, where `image_s` may come from."""


class Clock:
    """The time since the command began, and what is left of its limit.

    limit_s: seconds for the whole command; None for no limit. began: `time.monotonic()` when the command began.
    evaluated: how many images are evaluated after the training.
    """

    def __init__(self, limit_s: float | None = None, began: float | None = None, evaluated: int = 0) -> None:
        self._limit_s = math.inf if limit_s is None else limit_s
        self._began = time.monotonic() if began is None else began
        self._evaluated = evaluated
        self.earlier_s = 0.0  # time spent before the run was resumed
        self.image_s = 0.0  # of the network for one image, once it is known
        self.epoch_s = 0.0  # of the last epoch

    def seconds(self) -> float:
        """Time spent so far."""
        return self.earlier_s + time.monotonic() - self._began

    def spent(self) -> float:
        """The share of the training's time that is over, from 0; without a limit, it stays 0."""
        return self.seconds() / max(self._for_training_s(), 1e-9)

    def left_s(self) -> float:
        """Seconds until the limit; 1 if it has passed, since every training trains at least one epoch."""
        return max(self._limit_s - self.seconds(), 1.0)

    def fits_epoch(self) -> bool:
        """Whether an epoch as long as the last one ends in time for the evaluation and the report."""
        return self.seconds() + self.epoch_s <= self._for_training_s()

    def _for_training_s(self) -> float:
        return self._limit_s - self._evaluated * self.image_s * _SLOWER - _REPORT_S
