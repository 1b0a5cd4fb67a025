"""The results of `clf-bench` as plain values; the tables, the JSON, the plot and the page are made from these."""

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from edgeclf.benchmarks.machine import Machine
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.version import __version__
from edgeclf.train.results.intervals import wilson_interval


@dataclass(frozen=True)
class Interval:
    """A median over the rounds, and its interval from resampling (`edgeclf.benchmarks.bench.intervals`)."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        spread = f" ({self.low:.2f} to {self.high:.2f})" if self.low < self.high else ""
        return f"{self.middle:.2f}{spread}"


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one run of the model on a whole batch: percentiles over all rounds."""

    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True)
class ColdStart:
    """From the start of a process to its first prediction; medians over the rounds.

    cpu_seconds: summed over all cores. memory_bytes: peak resident memory up to then; None if the system does not report it.
    """

    seconds: float
    cpu_seconds: float
    memory_bytes: int | None


@dataclass(frozen=True)
class Accuracy:
    """How a model classifies labelled images. agreement: share of images with the reference model's label. max_difference:
    largest difference of a probability from the reference model's.
    """

    images: int
    correct: int
    agreement: float
    max_difference: float

    @property
    def share(self) -> float:
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """95 % (Wilson)."""
        return wilson_interval(self.correct, self.images)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "accuracy": self.share, "accuracy_95_interval": self.interval}


@dataclass(frozen=True)
class BenchResult:
    """One model file in one configuration.

    name: of the file; short and unique. device: where it really ran. batch: images per run of the model. threads: cores that
    it used. rates: images per second, by round. limits: the machine's limit for this model, by round; empty for inference
    only. ratio: how many times as fast as the first result. memory_bytes: the peak over all rounds. accuracy: None without
    labelled images. best: Pareto-optimal, that is, no other result beats it in speed, accuracy and size at once. auto_batch:
    the batch size was chosen automatically.
    """

    name: str
    path: str
    size_bytes: int
    engine: str
    device: str
    batch: int
    threads: int
    rates: tuple[float, ...]
    limits: tuple[float, ...]
    ratio: Interval
    of_limit: Interval | None
    latency: Latency
    memory_bytes: int | None
    cold_start: ColdStart
    accuracy: Accuracy | None
    best: bool
    auto_batch: bool = False

    @property
    def rate(self) -> float:
        """Images per second: the median over the rounds."""
        return statistics.median(self.rates)

    @property
    def configuration(self) -> str:
        """Everything except the file, for people."""
        return f"{self.device}, batch {self.batch}, {plural(self.threads, 'thread')}"

    def to_json(self) -> dict[str, Any]:
        accuracy = self.accuracy.to_json() if self.accuracy else None
        return {**asdict(self), "accuracy": accuracy, "images_per_s": self.rate}

    @property
    def key(self) -> tuple[str, str, int, int | None]:
        """Identifies the same candidate in a later run of the same command."""
        return self.name, self.device, self.threads, None if self.auto_batch else self.batch


@dataclass(frozen=True)
class Reference:
    """The model that accuracy is compared with. cold_start: measured only for a Keras model."""

    name: str
    accuracy: Accuracy
    cold_start: ColdStart | None
    size_bytes: int


@dataclass(frozen=True)
class Report:
    """Everything that a run of `clf-bench` found.

    images: which images were classified and read, in words. load: load average of one minute, before and after; None if the
    system does not report it. ship: index of the recommended result; None if none passes the gates. because: the reason.
    notes: more sentences to read. misses: gates that were missed, as sentences.
    """

    results: tuple[BenchResult, ...]
    reference: Reference | None
    images: str
    end_to_end: bool
    rounds: int
    seconds: float
    machine: Machine
    load: tuple[float, float] | None
    ship: int | None
    because: str
    notes: tuple[str, ...]
    misses: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, which a later run can use as its baseline."""
        return {
            "edgeclf": __version__,
            "mode": "end to end" if self.end_to_end else "inference only",
            "images": self.images,
            "rounds": self.rounds,
            "seconds_a_round": self.seconds,
            "machine": asdict(self.machine),
            "load": self.load,
            "reference": {**asdict(self.reference), "accuracy": self.reference.accuracy.to_json()}
            if self.reference
            else None,
            "results": [result.to_json() for result in self.results],
            "ship": self.ship,
            "because": self.because,
            "notes": list(self.notes),
            "misses": list(self.misses),
            "passed": not self.misses,
        }
