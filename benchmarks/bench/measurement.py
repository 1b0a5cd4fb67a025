"""Measures one candidate once, in a process of its own: its cold start, then its speed.

In its own process, so that start-up, memory and the state of an engine belong to one model in one configuration. Reads a
`Task` from the JSON file it is given, and writes two lines of JSON: a `FirstPrediction`, and a `Measurement` or an error.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, takewhile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.machine import peak_memory_bytes
from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import EdgeclfError, ExitCode, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.backend import Backend
from edgeclf.runtime.model.batching import best_batch
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.outcomes import classify
from edgeclf.runtime.terminal.console import print_data

WARM_UP = 0.25
"""Duration of the warm-up, as a share of the measured time."""


@dataclass(frozen=True)
class Task:
    """What to measure, for `seconds`.

    batch: None for the size that `clf-run` would choose. threads: end to end, worker threads with a single-threaded engine
    each, as in `clf-run`; otherwise threads of the engine, for one run at a time. images: readable image files.
    """

    model: str
    device: str
    batch: int | None
    threads: int
    end_to_end: bool
    seconds: float
    images: tuple[str, ...]
    card: str | None = None
    """For a model that carries none, as JSON."""


@dataclass(frozen=True)
class FirstPrediction:
    """cpu_seconds: of all cores since the process began. memory_bytes: its peak resident memory so far."""

    cpu_seconds: float
    memory_bytes: int | None


@dataclass(frozen=True)
class Measurement:
    """engine, device, batch: what really ran. rate: images per second. limit: the machine's limit for this model in images
    per second; None for inference only. run_ms: every single run of the model on a batch. memory_bytes: the peak.
    """

    engine: str
    device: str
    batch: int
    rate: float
    limit: float | None
    run_ms: tuple[float, ...]
    memory_bytes: int | None


def main() -> None:
    task = Task(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    try:
        card = ModelCard.from_json(task.card) if task.card else None
        threads = 1 if task.end_to_end else task.threads
        classifier = Classifier.open(task.model, device=task.device, threads=threads, card=card)
        classifier.predict(task.images[0])
        write_line(first_prediction())
        write_line(asdict(measure(task, classifier)))
    except EdgeclfError as error:
        write_line({"error": str(error), "exit_code": error.exit_code})
    except (MemoryError, ValueError) as error:  # numpy raises ValueError for an array of that size
        reason = f"a batch of {task.batch} does not fit into memory ({first_line(error)})"
        write_line({"error": reason, "exit_code": ExitCode.FAILED})


def measure(task: Task, classifier: Classifier) -> Measurement:
    """Warm up, then measure. Raises ModelError for a batch that does not fit into memory."""
    timed = _TimedBackend(classifier.backend)
    classifier = Classifier(timed, classifier.card)
    batch = task.batch or best_batch(classifier, task.threads if task.end_to_end else 1)
    classifier.probabilities(np.zeros((batch, *timed.input_shape), np.uint8))
    benchmark: _Benchmark = (_EndToEnd if task.end_to_end else _InferenceOnly)(task, classifier, batch)
    rate = benchmark.rate(timed.forget)
    return Measurement(
        engine=timed.engine,
        device=timed.device,
        batch=batch,
        rate=rate,
        run_ms=tuple(timed.milliseconds),
        limit=benchmark.limit(),
        memory_bytes=peak_memory_bytes(),
    )


def first_prediction() -> dict[str, Any]:
    """A `FirstPrediction` of this process, now."""
    return asdict(FirstPrediction(time.process_time(), peak_memory_bytes()))


def write_line(fields: dict[str, Any]) -> None:
    """Send a line of JSON to the benchmark."""
    print_data(json.dumps(fields))


class _TimedBackend:
    """A backend that records how long each run takes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.engine = backend.engine
        self.device = backend.device
        self.input_shape = backend.input_shape
        self.card_text = backend.card_text
        self.one_by_one = backend.one_by_one
        self.output_levels = backend.output_levels
        self.output_shapes = backend.output_shapes
        self.milliseconds: list[float] = []

    def run(self, batch: Pixels) -> NDArray[np.float32]:
        with self._timed():
            return self._backend.run(batch)

    def run_outputs(self, images: Pixels, places: Sequence[int]) -> list[NDArray[np.float32]]:
        with self._timed():
            return self._backend.run_outputs(images, places)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.milliseconds.append((time.perf_counter() - started) * 1e3)

    def forget(self) -> None:
        """Drop the times recorded so far."""
        self.milliseconds.clear()


class _Benchmark:
    """Work that is repeated until the time is over."""

    def __init__(self, task: Task, classifier: Classifier, batch: int) -> None:
        self.task = task
        self.classifier = classifier
        self.batch = batch

    def rate(self, warmed_up: Callable[[], None]) -> float:
        """Images per second. Calls `warmed_up` when the measured time begins."""
        raise NotImplementedError

    def limit(self) -> float | None:
        """The machine's limit in images per second; None if it does not apply."""
        return None

    def prepared_batch(self, start: int) -> Pixels:
        """A batch of preprocessed images, uint8 `[batch, H, W, C]`."""
        images = self.task.images
        chosen = (images[number % len(images)] for number in range(start, start + self.batch))
        return np.stack([self.classifier.card.preprocess(image) for image in chosen])


class _EndToEnd(_Benchmark):
    """From files to predictions, through the pipeline of `clf-run`."""

    def rate(self, warmed_up: Callable[[], None]) -> float:
        """Warms up and measures in the same pipeline, because each of its workers has its own engine state to warm up."""
        warm, end = time.perf_counter() + self.task.seconds * WARM_UP, math.inf
        frames = (Frame(image, image) for image in cycle(self.task.images))
        in_time = takewhile(lambda _: time.perf_counter() < end, frames)
        outcomes = classify(in_time, self.classifier, workers=self.task.threads, batch=self.batch)
        any(time.perf_counter() >= warm for _ in outcomes)
        warmed_up()
        started = time.perf_counter()
        end = started + self.task.seconds
        return sum(1 for _ in outcomes) / (time.perf_counter() - started)

    def limit(self) -> float:
        """Cores / (time to read, decode and resize + time to infer), measured on one thread without a pipeline.

        If the model does not run on the CPU, the cores only have to read the images.
        """
        cv2.setNumThreads(1)
        on_cpu = self.classifier.backend.device == "cpu"
        infer: Callable[[Pixels], Any] = self.classifier.probabilities if on_cpu else len
        batches = (self.prepared_batch(start) for start in range(0, sys.maxsize, self.batch))
        cores = min(self.task.threads, usable_cores())
        return cores * self.batch * _times_per_second(lambda: infer(next(batches)), self.task.seconds)


class _InferenceOnly(_Benchmark):
    """Only the model, on images in memory, one run at a time."""

    def __init__(self, task: Task, classifier: Classifier, batch: int) -> None:
        super().__init__(task, classifier, batch)
        self._batches = cycle([self.prepared_batch(start * batch) for start in range(4)])

    def rate(self, warmed_up: Callable[[], None]) -> float:
        _times_per_second(self._run, self.task.seconds * WARM_UP)
        warmed_up()
        return self.batch * _times_per_second(self._run, self.task.seconds)

    def _run(self) -> None:
        self.classifier.probabilities(next(self._batches))


def _times_per_second(run: Callable[[], object], seconds: float) -> float:
    started = time.perf_counter()
    done = 0
    while done == 0 or time.perf_counter() - started < seconds:
        run()
        done += 1
    return done / (time.perf_counter() - started)
