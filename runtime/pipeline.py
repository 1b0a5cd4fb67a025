"""Frames to outcomes at the machine's limit: every worker thread reads, decodes, resizes and runs the model itself.

Decoding in one pool and inferring in another reaches about half the rate: pixels then travel between cores, and one side
always waits. OpenCV and both engines release the interpreter lock, so one thread a core on one shared model is enough.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import cv2
import numpy as np

from edgeclf.runtime.allocator import keep_freed_memory
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


def classify(
    frames: Iterable[Frame], classifier: Classifier, *, workers: int | None = None, batch: int = 1
) -> Iterator[Outcome]:
    """One outcome a frame, in the order of the frames; a picture that cannot be read is an outcome too.

    workers: threads, by default one for each usable core; open the classifier with `threads=1` to go with them.
    batch: pictures in one run of the model. A worker takes at least _PORTION frames at a time.
    """
    portions = _portions(frames, batch * -(-_PORTION // batch))
    for outcomes in ordered_map(lambda portion: _classify(portion, classifier, batch), portions, workers or usable_cores()):
        yield from outcomes


def ordered_map(function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int) -> Iterator[_Result]:
    """`map` over worker threads: order kept, items drawn only as results are taken, an exception ends it.

    OpenCV's own threads are switched off meanwhile, because every core already has a worker.
    """
    keep_freed_memory()
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="edgeclf")
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= workers * _WINDOW:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
        cv2.setNumThreads(opencv_threads)


def _portions(frames: Iterable[Frame], size: int) -> Iterator[tuple[Frame, ...]]:
    remaining = iter(frames)
    while portion := tuple(islice(remaining, size)):
        yield portion


def _classify(frames: tuple[Frame, ...], classifier: Classifier, batch: int) -> list[Outcome]:
    parts = (frames[start : start + batch] for start in range(0, len(frames), batch))
    return [outcome for part in parts for outcome in _classify_batch(part, classifier, Checks())]


def _classify_batch(frames: tuple[Frame, ...], classifier: Classifier, checks: Checks) -> list[Outcome]:
    prepared: list[Prepared | PictureError] = []
    for frame in frames:
        try:
            prepared.append(classifier.card.preprocess.prepare(frame.picture, checks))
        except PictureError as error:
            prepared.append(error)
    images = [one.pixels for one in prepared if isinstance(one, Prepared)]
    answers = iter(classifier.probabilities(np.stack(images)) if images else ())
    classes = classifier.card.classes
    return [
        Outcome(frame, Failure.of(one) if isinstance(one, PictureError) else Prediction(classes, next(answers)), one.size_hw)
        for frame, one in zip(frames, prepared, strict=True)
    ]
