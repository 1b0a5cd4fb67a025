"""The gate: an artefact answers as the trained model does, on real images, through the runtime's own backend."""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import Arrays, batches
from edgeclf.train.results.intervals import wilson_interval

BATCHES = (1, 7)
"""Batch sizes whose answers must be the same: a batch axis that was frozen at conversion shows here."""


@dataclass(frozen=True)
class GateLimits:
    """atol: largest difference of a probability, for float32. max_drop: share of the Keras accuracy that any artefact may
    lose, 1 % as in MLPerf's closed division. An image is clear when its two best classes are further apart than a
    margin; on clear images a float32 artefact must always agree with Keras, a reduced one in `agreement` of them.
    """

    atol: float = 1e-4
    margin: float = 1e-3
    max_drop: float = 0.01
    reduced_margin: float = 0.1
    agreement: float = 0.97


@dataclass(frozen=True)
class Parity:
    """How one artefact compares with the network it came from. misses: what it failed, as sentences; none is a pass."""

    name: str
    precision: str
    images: int
    size_bytes: int
    keras_correct: int
    correct: int
    agreement: float
    clear: int
    clear_agreed: int
    max_difference: float
    misses: tuple[str, ...]
    made_by: str = ""
    """How an INT8 file was quantised: calibration, layers left in float."""
    attempts: int = 1
    """How many ways to quantise it were judged until one passed."""
    sha256: str = ""
    """Of the file."""
    milliseconds: float | None = None
    """Median time of one image on the machine of the export."""

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    @classmethod
    def failed(
        cls, name: str, precision: str, images: Arrays, reference: NDArray[np.float32], miss: str, size_bytes: int = 0
    ) -> "Parity":
        """For an artefact that gave no answers to compare."""
        return cls(name, precision, len(images), size_bytes, _correct(reference, images), 0, 0.0, 0, 0, 1.0, (miss,))

    def to_json(self) -> dict[str, Any]:
        """Plain values for `model.parity.json`."""
        low, high = wilson_interval(self.correct, self.images)
        return {
            "file": self.name,
            "precision": self.precision,
            "bytes": self.size_bytes,
            "sha256": self.sha256,
            "images": self.images,
            "keras_accuracy": round(self.keras_correct / self.images, 6),
            "accuracy": round(self.accuracy, 6),
            "accuracy_95_interval": [round(low, 6), round(high, 6)],
            "agreement": round(self.agreement, 6),
            "clear_images": self.clear,
            "clear_images_agreed": self.clear_agreed,
            "max_probability_difference": float(f"{self.max_difference:.3g}"),
            "made_by": self.made_by,
            "attempts": self.attempts,
            "milliseconds": None if self.milliseconds is None else float(f"{self.milliseconds:.3g}"),
            "passed": not self.misses,
            "misses": list(self.misses),
        }


def check(
    path: Path,
    name: str,
    precision: str,
    images: Arrays,
    reference: NDArray[np.float32],
    limits: GateLimits,
    reference_name: str = "Keras",
) -> Parity:
    """Run the artefact at `path` over `images` and compare with `reference`, the network's float32 `[N, classes]`.

    An artefact that does not even open, or answers with other numbers at another batch size, is a miss like any other.
    """
    try:
        answers = _answers(path, images.images)
    except EdgeclfError as error:
        miss = str(error).replace(str(path), name)
        return Parity.failed(name, precision, images, reference, miss, path.stat().st_size)
    same = answers.argmax(axis=1) == reference.argmax(axis=1)
    top_two = np.sort(reference, axis=1)[:, -2:]
    clear = top_two[:, 1] - top_two[:, 0] > (limits.margin if precision == "fp32" else limits.reduced_margin)
    measured = Parity(
        name,
        precision,
        len(images),
        path.stat().st_size,
        _correct(reference, images),
        _correct(answers, images),
        float(same.mean()),
        int(clear.sum()),
        int((same & clear).sum()),
        float(np.abs(answers - reference).max()),
        (),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    return _judge(measured, limits, reference_name)


def _correct(answers: NDArray[np.float32], images: Arrays) -> int:
    return int((answers.argmax(axis=1) == images.labels).sum())


def _answers(path: Path, images: Pixels) -> NDArray[np.float32]:
    """Probabilities for all images, float32 `[N, classes]`; checked to be the same at every size in BATCHES."""
    classifier = Classifier.open(path, device="cpu")
    answers = np.concatenate([classifier.probabilities(part) for part in batches(images, 32)])
    probe = np.arange(max(BATCHES)) % len(images)
    for size in BATCHES:
        repeated = np.concatenate([classifier.probabilities(part) for part in batches(images[probe], size)])
        if np.abs(repeated - answers[probe]).max() > 1e-5:
            raise ModelError(f"{path} gives other answers in batches of {size} than in batches of 32")
    return answers


def _judge(measured: Parity, limits: GateLimits, reference: str) -> Parity:
    misses = []
    if measured.precision == "fp32":
        if not measured.max_difference <= limits.atol:
            misses.append(f"a probability differs by {measured.max_difference:.2g}; the limit is {limits.atol:.2g}")
        allowed = 0
    else:
        allowed = max(1, int(measured.clear * (1 - limits.agreement)))
    if measured.clear - measured.clear_agreed > allowed:
        counts = f"{measured.clear_agreed} of the {measured.clear} clear images"
        misses.append(f"it agrees with {reference} on {counts}; {allowed} may differ")
    lost = measured.keras_correct - measured.correct
    if lost > allowed_loss(measured.keras_correct, limits.max_drop):
        misses.append(
            f"it gets {measured.correct} of {measured.images} right where {reference} gets {measured.keras_correct}; "
            f"the limit is a loss of {limits.max_drop:.2%}"
        )
    return replace(measured, misses=tuple(misses))


def allowed_loss(keras_correct: int, max_drop: float) -> int:
    """How many right answers may be lost: `max_drop` of them; below 1 / max_drop right answers, none."""
    return math.floor(keras_correct * max_drop + 1e-9)
