"""One measurement in a process of its own: how long until its first answer, and then how fast.

Of its own, so that start-up, memory and the state of an engine belong to one file in one arrangement. It reads a `Task` from
the JSON file that it is given, and writes two lines of JSON: a `FirstAnswer`, and a `Finding` or what went wrong.
"""

import json
import math
import sys
import time
from collections.abc import Callable
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
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.pipeline import classify

WARM_UP = 0.25
"""Of the time that is measured; not counted."""


@dataclass(frozen=True)
class Task:
    """What to measure, for `seconds`.

    batch: None for the one that `clf-run` would find. threads: end to end, workers with one thread of the engine each, as
    `clf-run` has them; otherwise threads of the engine, for one run at a time. images: files that can be read.
    """

    model: str
    device: str
    batch: int | None
    threads: int
    end_to_end: bool
    seconds: float
    images: tuple[str, ...]


@dataclass(frozen=True)
class FirstAnswer:
    """cpu_seconds: of all cores, since the process began. memory_bytes: its largest resident memory so far."""

    cpu_seconds: float
    memory_bytes: int | None


@dataclass(frozen=True)
class Finding:
    """engine, device, batch: what really ran. rate: images a second. limit: of this machine for this model, in images a
    second, where images are read. run_ms: every single run of the model on a batch. memory_bytes: the peak.
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
        classifier = Classifier.open(task.model, device=task.device, threads=1 if task.end_to_end else task.threads)
        classifier.predict(task.images[0])
        say(first_answer())
        say(asdict(measure(task, classifier)))
    except EdgeclfError as error:
        say({"error": str(error), "exit_code": error.exit_code})
    except (MemoryError, ValueError) as error:  # numpy's, for an array of that size
        say({"error": f"a batch of {task.batch} does not fit ({first_line(error)})", "exit_code": ExitCode.FAILED})


def measure(task: Task, classifier: Classifier) -> Finding:
    """Warm up, then measure. Raises ModelError for a batch that does not fit."""
    timed = _Timed(classifier.backend)
    classifier = Classifier(timed, classifier.card)
    batch = task.batch or best_batch(classifier, task.threads if task.end_to_end else 1)
    classifier.probabilities(np.zeros((batch, *timed.input_shape), np.uint8))
    job: _Job = (_EndToEnd if task.end_to_end else _Inference)(task, classifier, batch)
    rate = job.rate(timed.forget)
    run_ms = tuple(timed.milliseconds)
    return Finding(timed.engine, timed.device, batch, rate, job.limit(), run_ms, peak_memory_bytes())


def first_answer() -> dict[str, Any]:
    """A `FirstAnswer` of this process, now."""
    return asdict(FirstAnswer(time.process_time(), peak_memory_bytes()))


def say(fields: dict[str, Any]) -> None:
    """A line of JSON to the benchmark."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class _Timed:
    """A backend that notes how long each of its runs takes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.engine = backend.engine
        self.device = backend.device
        self.input_shape = backend.input_shape
        self.card_text = backend.card_text
        self.milliseconds: list[float] = []

    def run(self, batch: Pixels) -> NDArray[np.float32]:
        started = time.perf_counter()
        probabilities = self._backend.run(batch)
        self.milliseconds.append((time.perf_counter() - started) * 1e3)
        return probabilities

    def forget(self) -> None:
        """What was noted so far."""
        self.milliseconds.clear()


class _Job:
    """What is done again and again until the time is over."""

    def __init__(self, task: Task, classifier: Classifier, batch: int) -> None:
        self.task = task
        self.classifier = classifier
        self.batch = batch

    def rate(self, warmed_up: Callable[[], None]) -> float:
        """Images a second; `warmed_up` is called when it begins to count."""
        raise NotImplementedError

    def limit(self) -> float | None:
        """What the machine could do at most, where that can be said."""
        return None

    def prepared(self, start: int) -> Pixels:
        """A batch of images, read and prepared: uint8 `[batch, H, W, C]`."""
        images = self.task.images
        chosen = (images[number % len(images)] for number in range(start, start + self.batch))
        return np.stack([self.classifier.card.preprocess(image) for image in chosen])


class _EndToEnd(_Job):
    """From files to answers, through the pipeline of `clf-run`."""

    def rate(self, warmed_up: Callable[[], None]) -> float:
        """One pipeline for both: each of its workers has an engine's state of its own to warm up."""
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
        """Cores / (time to read, decode and resize + time to infer), on one thread without any pipeline.

        Where the model runs on another device than the CPU, reading images is all that is left to the cores.
        """
        cv2.setNumThreads(1)
        on_cpu = self.classifier.backend.device == "cpu"
        answer: Callable[[Pixels], Any] = self.classifier.probabilities if on_cpu else len
        batches = (self.prepared(start) for start in range(0, sys.maxsize, self.batch))
        cores = min(self.task.threads, usable_cores())
        return cores * self.batch * _times_a_second(lambda: answer(next(batches)), self.task.seconds)


class _Inference(_Job):
    """The model alone, on images that lie in memory, one run at a time."""

    def __init__(self, task: Task, classifier: Classifier, batch: int) -> None:
        super().__init__(task, classifier, batch)
        self._batches = cycle([self.prepared(start * batch) for start in range(4)])

    def rate(self, warmed_up: Callable[[], None]) -> float:
        _times_a_second(self._run, self.task.seconds * WARM_UP)
        warmed_up()
        return self.batch * _times_a_second(self._run, self.task.seconds)

    def _run(self) -> None:
        self.classifier.probabilities(next(self._batches))


def _times_a_second(run: Callable[[], object], seconds: float) -> float:
    started = time.perf_counter()
    done = 0
    while done == 0 or time.perf_counter() - started < seconds:
        run()
        done += 1
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
