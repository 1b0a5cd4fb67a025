"""What `clf-bench` found, as plain values: the table, the JSON, the Markdown, the plot and the page all show these."""

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from edgeclf.benchmarks.machine import Machine
from edgeclf.runtime.version import __version__
from edgeclf.train.results.intervals import wilson_interval


@dataclass(frozen=True)
class Interval:
    """A median over the rounds, and the interval that resampling them gives (`edgeclf.benchmarks.bench.intervals`)."""

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
    """From the start of a process to its answer for the first image; medians over the rounds.

    cpu_seconds: of all cores together. memory_bytes: the largest resident memory up to then; None where the system does not
    tell.
    """

    seconds: float
    cpu_seconds: float
    memory_bytes: int | None


@dataclass(frozen=True)
class Accuracy:
    """How a file answers labelled images. agreement: share of images with the reference's answer. max_difference: the
    largest of a probability, from the reference's.
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
        """95 %, Wilson."""
        return wilson_interval(self.correct, self.images)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "accuracy": self.share, "accuracy_95_interval": self.interval}


@dataclass(frozen=True)
class Row:
    """One file in one arrangement.

    name: the file's, short and like no other's. device: where it really ran. batch: images in one run of the model.
    threads: cores that it used. rates: images a second, by round. limits: of the machine for this model, by round; empty
    for inference alone. ratio: times as fast as the first row. memory_bytes: the most in all rounds. accuracy: None where
    there were no labelled images. best: no other row beats it in speed, accuracy and size at once. auto_batch: the batch
    was found, and not asked for.
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
        """Images a second: the median over the rounds."""
        return statistics.median(self.rates)

    @property
    def arrangement(self) -> str:
        """Everything but the file, for people."""
        return f"{self.device}, batch {self.batch}, {self.threads} {'thread' if self.threads == 1 else 'threads'}"

    def to_json(self) -> dict[str, Any]:
        accuracy = self.accuracy.to_json() if self.accuracy else None
        return {**asdict(self), "accuracy": accuracy, "images_per_s": self.rate}

    @property
    def key(self) -> tuple[str, str, int, int | None]:
        """What is the same in the next run of the same command."""
        return self.name, self.device, self.threads, None if self.auto_batch else self.batch


@dataclass(frozen=True)
class Reference:
    """What accuracy is compared with. cold_start: measured where it is a Keras model, which is not among the rows."""

    name: str
    accuracy: Accuracy
    cold_start: ColdStart | None
    size_bytes: int


@dataclass(frozen=True)
class Report:
    """All of it.

    images: what was answered and what was read, as a sentence. load: processes that wanted a core, on average of a minute,
    before and after; None where the system does not tell. ship: the number of the row to ship; None where the gates leave
    none. because: why, as the last sentence. notes: what else should be known, as sentences. misses: gates that were missed.
    """

    rows: tuple[Row, ...]
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
        """Plain values; a later run compares itself with them (`--baseline`)."""
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
            "results": [row.to_json() for row in self.rows],
            "ship": self.ship,
            "because": self.because,
            "notes": list(self.notes),
            "misses": list(self.misses),
            "passed": not self.misses,
        }
