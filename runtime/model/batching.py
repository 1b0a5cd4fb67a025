"""The batch size for a model: the fastest one depends on both the model and the machine."""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import BatchError
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.further_outputs import Answers, join_answers
from edgeclf.runtime.terminal.console import note

_Result = TypeVar("_Result")
_WORTHWHILE = 0.88
"""A doubled batch must cut the time per image to this share. A larger batch keeps its images in memory while the rest are
decoded, which costs more than a small gain in the model.
"""


@dataclass(frozen=True)
class _Search:
    """largest: the largest batch to try. budget_s: no larger batch is tried after this time. enough_s: the search stops when
    a worker takes less time per image than this; the model is then no longer the bottleneck, as reading a small JPEG takes
    twenty times as long.
    """

    largest: int = 32
    budget_s: float = 0.3
    enough_s: float = 0.0


_SEARCHES = {"cuda": _Search(largest=256, budget_s=3.0, enough_s=50e-6)}
"""By kind of device; the CPU takes the defaults."""
_TENSORRT_BATCH = 64
"""Fixed, because TensorRT rebuilds its engine, for minutes, whenever a batch is larger than all batches before it."""


class BatchSplitter:
    """Runs a classifier on batches of any size. A batch that does not fit into memory is split in halves."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._largest = 1 << 30

    def probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """Like Classifier.probabilities. Raises ModelError if even a single image fails."""
        return self._run(images, self._classifier.probabilities, np.concatenate)

    def answers(self, images: Pixels, outputs: Sequence[str] = ()) -> Answers:
        """Like Classifier.answers. Raises ModelError if even a single image fails."""
        return self._run(images, lambda part: self._classifier.answers(part, outputs), join_answers)

    def _run(self, images: Pixels, run: Callable[[Pixels], _Result], join: Callable[[list[_Result]], _Result]) -> _Result:
        largest = self._largest
        if len(images) > largest:
            parts = [images[start : start + largest] for start in range(0, len(images), largest)]
            return join([self._run(part, run, join) for part in parts])
        try:
            return run(images)
        except (BatchError, MemoryError):
            if len(images) == 1:
                raise
        self._largest = min(self._largest, len(images) // 2)
        note(f"a batch of {len(images)} does not fit into memory; continuing with {self._largest}")
        return self._run(images, run, join)


def best_batch(classifier: Classifier, workers: int) -> int:
    """The batch size, found by doubling it while the model gets faster with all workers running and time is left.

    A power of two: at most 32 on the CPU and 256 on a GPU. Always 64 with TensorRT.
    """
    kind = classifier.backend.device.partition(":")[0]
    if kind == "tensorrt":
        return _TENSORRT_BATCH
    search = _SEARCHES.get(kind, _Search())
    started = time.perf_counter()
    batch, image_s = 1, _seconds_per_image(classifier, 1, workers)
    while batch < search.largest and image_s > search.enough_s and time.perf_counter() - started < search.budget_s:
        try:
            doubled_s = _seconds_per_image(classifier, batch * 2, workers)
        except (BatchError, MemoryError):
            break
        if doubled_s > image_s * _WORTHWHILE:
            break
        batch, image_s = batch * 2, doubled_s
    return batch


def _seconds_per_image(classifier: Classifier, batch: int, workers: int) -> float:
    """The median of three runs after one warm-up run, with all workers running at the same time."""
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
