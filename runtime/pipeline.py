"""From frames to outcomes at full speed: every worker thread reads, decodes, resizes and runs the model itself.

Decoding in one pool and running the model in another reaches only about half the rate: pixels then travel between cores, and
one pool always waits for the other. OpenCV and both engines release the interpreter lock, so one thread per core, all on one
model, is enough.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import cv2
import numpy as np

from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ImageError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import Prepared
from edgeclf.runtime.model.batching import BatchSplitter, best_batch
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.further_outputs import Answer
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction, at_hand

_WORKER_NAME = "edgeclf"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_CALLS_PER_WORKER = 4
"""Calls in flight for each worker: enough to bridge one slow image, few enough to keep memory constant."""
_CHUNK_S, _MOST_IN_CHUNK = 0.04, 16
"""Seconds of work and frames that a worker takes at once. Every hand-over wakes the main thread, which takes a core from the
workers; but with large chunks, the others wait long for the last one."""
_CHUNK_BYTES = 8 << 20
_IN_FLIGHT_BYTES = 64 << 20
"""Limit on pixels in flight, unless a worker would be idle: a frame of 4K video takes 25 MB."""
_FEW = 256
"""With fewer frames, measuring the best batch takes longer than it saves."""


def classify_batches(
    frames: Iterable[Frame | None],
    classifier: Classifier,
    *,
    workers: int | None = None,
    batch: int | None = 1,
    checks: Checks = Checks(),  # noqa: B008 (frozen)
    outputs: Sequence[str] = (),
    use: Callable[[Outcome], None] | None = None,
) -> Iterator[list[Outcome]]:
    """One outcome per frame, in the order of the frames, several at a time, as they become ready.

    An image that cannot be read is an outcome too. frames: None among them is a pause, at which all outcomes so far are
    returned. workers: threads, by default one for each usable core; open the classifier with `threads=1` for that. batch:
    images in one call of the model; None measures which number is fastest. A batch that does not fit into memory is halved.
    checks: what files must pass before they are decoded. outputs: further ones of the model, as in `Classifier.answers`.
    use: what the workers do with each outcome before it is returned, such as drawing it. Raises ModelError.
    """
    workers = workers or usable_cores()
    frames = iter(frames)
    if batch is None:
        first = list(_up_to_a_pause(frames))
        many = len(first) == _FEW or sum(map(_bytes_in_memory, first)) > _CHUNK_BYTES
        batch = best_batch(classifier, workers) if many and first[-1] else 1
        frames = chain(first, frames)
    worker = Worker(classifier, batch, checks, outputs, use)
    yield from ordered_map(worker.classify, _chunks(frames, worker), workers, _chunk_bytes)


def ordered_map(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item | None],
    workers: int,
    size_bytes: Callable[[_Item], int] = lambda _: 0,
) -> Iterator[_Result]:
    """`map` over worker threads. Keeps the order, takes items only as results are taken, and ends with any exception.

    None among the items is a pause: all results so far are returned before the next item is taken. size_bytes: memory that
    an item holds; large items are taken fewer ahead. OpenCV's own threads are off meanwhile, because every core has a
    worker.
    """
    keep_freed_memory()
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    executor = ThreadPoolExecutor(workers, thread_name_prefix=_WORKER_NAME)
    waiting: deque[tuple[Future[_Result], int]] = deque()
    held_bytes = 0
    try:
        for item in items:
            if item is not None:
                waiting.append((executor.submit(function, item), size_bytes(item)))
                held_bytes += waiting[-1][1]
            most = workers * _CALLS_PER_WORKER if held_bytes < _IN_FLIGHT_BYTES else workers + 1
            while waiting and (item is None or len(waiting) >= most):
                held_bytes -= waiting[0][1]
                yield waiting.popleft()[0].result()
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        # The garbage collector may close an abandoned generator in one of its workers, which cannot wait for itself.
        is_worker = threading.current_thread().name.startswith(_WORKER_NAME)
        executor.shutdown(wait=not is_worker, cancel_futures=True)
        cv2.setNumThreads(opencv_threads)


def _up_to_a_pause(frames: Iterator[Frame | None]) -> Iterator[Frame | None]:
    """The first few frames, including the pause; fewer if they are in memory already."""
    held_bytes = 0
    for frame in islice(frames, _FEW):
        yield frame
        held_bytes += _bytes_in_memory(frame)
        if frame is None or held_bytes > _CHUNK_BYTES:
            break


def _bytes_in_memory(frame: Frame | None) -> int:
    image = frame.image if frame else None
    return image.nbytes if isinstance(image, np.ndarray) else len(image) if isinstance(image, bytes) else 0


def _chunk_bytes(chunk: Sequence[Frame]) -> int:
    return sum(map(_bytes_in_memory, chunk))


class Worker:
    """What every worker thread does. chunk_size: frames to take at once, a multiple of the batch. use: for each outcome.

    outputs: further ones of the model, which may be others from one call to the next.
    """

    def __init__(
        self,
        classifier: Classifier,
        batch: int,
        checks: Checks,
        outputs: Sequence[str] = (),
        use: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.chunk_size = batch
        self.outputs = outputs
        self._classifier = classifier
        self._model = BatchSplitter(classifier)
        self._batch = batch
        self._checks = checks
        self._use = use
        self._outputs = outputs

    def classify(self, frames: Sequence[Frame]) -> list[Outcome]:
        started = time.perf_counter()
        batches = (frames[start : start + self._batch] for start in range(0, len(frames), self._batch))
        outcomes = [outcome for batch in batches for outcome in self._classify_batch(batch)]
        if self._use is not None:
            for outcome in outcomes:
                self._use(outcome)
        wanted = int(_CHUNK_S * len(frames) / max(time.perf_counter() - started, 1e-6))
        self.chunk_size = max(1, min(wanted, _MOST_IN_CHUNK) // self._batch) * self._batch
        return outcomes

    def _classify_batch(self, frames: Sequence[Frame]) -> list[Outcome]:
        prepared: list[Prepared | ImageError] = []
        for frame in frames:
            try:
                prepared.append(self._classifier.card.preprocess.prepare(frame.image, self._checks))
            except ImageError as error:
                prepared.append(error)
        images = [one.pixels for one in prepared if isinstance(one, Prepared)]
        answers = iter(self._model.answers(np.stack(images), self.outputs) if images else ())
        return [self._outcome(frame, one, answers) for frame, one in zip(frames, prepared, strict=True)]

    def _outcome(self, frame: Frame, one: Prepared | ImageError, answers: Iterator[Answer]) -> Outcome:
        if isinstance(one, ImageError):
            return Outcome(frame, Failure.of(one), one.size_hw)
        probabilities, novelty, heatmap, embedding = next(answers)
        classes, image = self._classifier.card.classes, at_hand(frame.image)
        prediction = Prediction(classes, probabilities, image, novelty, heatmap=heatmap, embedding=embedding)
        return Outcome(frame, prediction, one.size_hw, one.photo)


def _chunks(frames: Iterable[Frame | None], worker: Worker) -> Iterator[tuple[Frame, ...] | None]:
    chunk: list[Frame] = []
    held_bytes = 0  # images that are in memory already
    for frame in frames:
        if frame is not None:
            chunk.append(frame)
            held_bytes += _bytes_in_memory(frame)
        if chunk and (frame is None or len(chunk) >= worker.chunk_size or held_bytes > _CHUNK_BYTES):
            yield tuple(chunk)
            chunk, held_bytes = [], 0
        if frame is None:
            yield None
    if chunk:
        yield tuple(chunk)
