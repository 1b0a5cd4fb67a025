"""How many images to hand to the model at once: what is the quickest depends on the model and on the machine."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import BatchError
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.terminal.console import note

_WORTH_IT = 0.88
"""The share of the time per image that a larger batch may take at most: its images wait in memory while the others are
decoded, which costs more than a batch gains the model by a little.
"""


@dataclass(frozen=True)
class _Search:
    """largest: batch to try. budget_s: after which no larger one is tried. enough_s: a worker's time per image below which
    it is not the model that takes the time: to read a small JPEG takes twenty times as long.
    """

    largest: int = 32
    budget_s: float = 0.3
    enough_s: float = 0.0


_SEARCHES = {"cuda": _Search(largest=256, budget_s=3.0, enough_s=50e-6)}
"""By kind of device, where it is not as on the CPU."""
_TENSORRT_BATCH = 64
"""Not measured: TensorRT builds its engine anew, for minutes, whenever a batch is larger than all before."""


class BatchSplitter:
    """The model behind a classifier, for batches of any size: those that do not fit into memory are answered in halves."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._most = 1 << 30

    def probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """As Classifier.probabilities. Raises ModelError where not even one image can be answered."""
        most = self._most
        if len(images) > most:
            parts = [images[start : start + most] for start in range(0, len(images), most)]
            return np.concatenate([self.probabilities(part) for part in parts])
        try:
            return self._classifier.probabilities(images)
        except (BatchError, MemoryError):
            if len(images) == 1:
                raise
        self._most = min(self._most, len(images) // 2)
        note(f"a batch of {len(images)} does not fit into memory; going on with {self._most}")
        return self.probabilities(images)


def best_batch(classifier: Classifier, workers: int) -> int:
    """1, 2, 4, ... 32: doubled for as long as that makes the model quicker while all workers use it, and time is left.

    On a GPU up to 256. With TensorRT always 64.
    """
    kind = classifier.backend.device.partition(":")[0]
    if kind == "tensorrt":
        return _TENSORRT_BATCH
    search = _SEARCHES.get(kind, _Search())
    started = time.perf_counter()
    batch, took = 1, _seconds_an_image(classifier, 1, workers)
    while batch < search.largest and took > search.enough_s and time.perf_counter() - started < search.budget_s:
        try:
            larger = _seconds_an_image(classifier, batch * 2, workers)
        except (BatchError, MemoryError):
            break
        if larger > took * _WORTH_IT:
            break
        batch, took = batch * 2, larger
    return batch


def _seconds_an_image(classifier: Classifier, batch: int, workers: int) -> float:
    """Median of three runs after one to warm up, by each worker at the same time as the others."""
    images = np.zeros((batch, *classifier.backend.input_shape), np.uint8)

    def measure(_: int) -> list[float]:
        times = [time.perf_counter()]
        for _ in range(4):
            classifier.probabilities(images)
            times.append(time.perf_counter())
        return [after - before for before, after in pairwise(times[1:])]

    with ThreadPoolExecutor(workers) as executor:
        runs = [seconds for worker in executor.map(measure, range(workers)) for seconds in worker]
    return statistics.median(runs) / batch
