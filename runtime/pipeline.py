"""Frames to outcomes at the machine's limit: every worker thread reads, decodes, resizes and runs the model itself.

Decoding in one pool and inferring in another reaches about half the rate: pixels then travel between cores, and one side
always waits. OpenCV and both engines release the interpreter lock, so one thread a core on one shared model is enough.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import cv2
import numpy as np

from edgeclf.runtime.allocator import keep_freed_memory
from edgeclf.runtime.batching import AnyBatch, best_batch
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import PictureError
from edgeclf.runtime.frames.decode import Checks
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.preprocess import Prepared
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_WINDOW = 4
"""Calls in flight for each worker: enough to ride out one slow picture, few enough to keep memory flat."""
_PORTION = 4
"""Frames that a worker takes at once: each hand-over wakes the main thread, which takes a core from the workers."""
_FEW = 256
"""Frames for which it is not worth to find out the best batch."""


def classify(
    frames: Iterable[Frame | None],
    classifier: Classifier,
    *,
    workers: int | None = None,
    batch: int | None = 1,
    checks: Checks = Checks(),  # noqa: B008 (frozen)
) -> Iterator[Outcome]:
    """One outcome a frame, in the order of the frames; a picture that cannot be read is an outcome too.

    frames: None among them is a pause, before which all outcomes so far are handed on. workers: threads, by default one
    for each usable core; open the classifier with `threads=1` to go with them. batch: pictures in one run of the model;
    None measures which number is the quickest. A batch that does not fit into memory is halved. checks: what files must
    pass before they are decoded. Raises ModelError.
    """
    yield from chain.from_iterable(classify_batches(frames, classifier, workers=workers, batch=batch, checks=checks))


def classify_batches(
    frames: Iterable[Frame | None],
    classifier: Classifier,
    *,
    workers: int | None = None,
    batch: int | None = 1,
    checks: Checks = Checks(),  # noqa: B008 (frozen)
) -> Iterator[list[Outcome]]:
    """As `classify`, with the outcomes of several frames at a time, just as they come."""
    workers = workers or usable_cores()
    frames = iter(frames)
    if batch is None:
        first = list(_up_to_a_pause(frames))
        batch = best_batch(classifier, workers) if first[_FEW - 1 :] and first[-1] else 1
        frames = chain(first, frames)
    work = partial(_classify, classifier=classifier, model=AnyBatch(classifier), batch=batch, checks=checks)
    yield from ordered_map(work, _portions(frames, batch * -(-_PORTION // batch)), workers)


def ordered_map(function: Callable[[_Item], _Result], items: Iterable[_Item | None], workers: int) -> Iterator[_Result]:
    """`map` over worker threads: order kept, items drawn only as results are taken, an exception ends it.

    None among the items is a pause: all results so far are handed on before the next item is drawn. OpenCV's own threads
    are switched off meanwhile, because every core already has a worker.
    """
    keep_freed_memory()
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="edgeclf")
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            if item is not None:
                waiting.append(executor.submit(function, item))
            while waiting and (item is None or len(waiting) >= workers * _WINDOW):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
        cv2.setNumThreads(opencv_threads)


def _up_to_a_pause(frames: Iterator[Frame | None]) -> Iterator[Frame | None]:
    """The first few frames, the pause included."""
    for frame in islice(frames, _FEW):
        yield frame
        if frame is None:
            break


def _portions(frames: Iterable[Frame | None], size: int) -> Iterator[tuple[Frame, ...] | None]:
    portion: list[Frame] = []
    for frame in frames:
        if frame is not None:
            portion.append(frame)
        if portion and (frame is None or len(portion) == size):
            yield tuple(portion)
            portion = []
        if frame is None:
            yield None
    if portion:
        yield tuple(portion)


def _classify(frames: Sequence[Frame], classifier: Classifier, model: AnyBatch, batch: int, checks: Checks) -> list[Outcome]:
    parts = (frames[start : start + batch] for start in range(0, len(frames), batch))
    return [outcome for part in parts for outcome in _classify_batch(part, classifier, model, checks)]


def _classify_batch(frames: Sequence[Frame], classifier: Classifier, model: AnyBatch, checks: Checks) -> list[Outcome]:
    prepared: list[Prepared | PictureError] = []
    for frame in frames:
        try:
            prepared.append(classifier.card.preprocess.prepare(frame.picture, checks))
        except PictureError as error:
            prepared.append(error)
    images = [one.pixels for one in prepared if isinstance(one, Prepared)]
    answers = iter(model.probabilities(np.stack(images)) if images else ())
    classes = classifier.card.classes
    return [
        Outcome(frame, Failure.of(one) if isinstance(one, PictureError) else Prediction(classes, next(answers)), one.size_hw)
        for frame, one in zip(frames, prepared, strict=True)
    ]
