"""The gate: an exported file must predict like the trained model, on real images, through the runtime's own backend."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.export.further_parity import FurtherParity, FurtherReference
from edgeclf.export.options import AGREEMENT, MARGIN, REDUCED_MARGIN, GateLimits
from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.model.further_outputs import Answers
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.arrays import Arrays, batches
from edgeclf.train.results.intervals import wilson_interval

BATCHES = (1, 7)
"""Batch sizes that must give the same probabilities. A batch axis that was fixed at conversion fails here."""


UNLABELLED = -1
"""The label of an image whose class is not known. No prediction equals it."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The model that a file must agree with. probabilities: float32 `[N, classes]`, its predictions for `images`.

    Without labels, every label in `images` is UNLABELLED. further: its further outputs, if files are to have them.
    """

    images: Arrays
    probabilities: NDArray[np.float32]
    name: str = "Keras"
    further: FurtherReference = FurtherReference()  # noqa: RUF009 (frozen)

    @property
    def is_labelled(self) -> bool:
        return bool((self.images.labels != UNLABELLED).all())

    @property
    def correct(self) -> int:
        """The number of images whose label it predicts."""
        return _count_correct(self.probabilities, self.images)


@dataclass(frozen=True)
class Parity:
    """The comparison of one file with the reference model.

    is_labelled: whether the classes of the images are known; without them, no image counts as correct.
    clear: images whose two best classes are well apart. misses: sentences that say what failed; empty if the file passed.
    """

    name: str
    precision: str
    images: int
    size_bytes: int
    reference_correct: int
    correct: int
    agreement: float
    clear: int
    clear_agreed: int
    max_difference: float
    misses: tuple[str, ...]
    made_by: str = ""
    """How an INT8 file was quantised: the calibration, and the layers in float."""
    attempts: int = 1
    """The number of ways to quantise that were tried until one passed."""
    sha256: str = ""
    """Of the file."""
    is_labelled: bool = True
    reference: str = "Keras"
    """The name of the reference model."""
    milliseconds: float | None = None
    """Median time of one image on the machine that exported the file."""
    further: FurtherParity = FurtherParity()  # noqa: RUF009 (frozen)
    warnings: tuple[str, ...] = ()
    """Sentences that say what is not as it should be, although the file passed."""

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    @property
    def verdict(self) -> str:
        """On one line: passed, with size and accuracy, or why it failed."""
        if self.misses:
            return f"failed: {self.misses[0]}"
        accuracy = f", accuracy {self.accuracy:.1%}" if self.is_labelled else ""
        return f"passed ({self.size_bytes / 1e6:.2f} MB{accuracy}, same class {self.agreement:.1%})"

    @classmethod
    def failed(cls, name: str, precision: str, reference: Reference, miss: str, size_bytes: int = 0) -> "Parity":
        """For a file without predictions to compare."""
        return cls(
            name=name,
            precision=precision,
            images=len(reference.images),
            size_bytes=size_bytes,
            reference_correct=reference.correct,
            correct=0,
            agreement=0.0,
            clear=0,
            clear_agreed=0,
            max_difference=1.0,
            misses=(miss,),
            is_labelled=reference.is_labelled,
            reference=reference.name,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values for `model.parity.json`."""
        return {
            "file": self.name,
            "precision": self.precision,
            "bytes": self.size_bytes,
            "sha256": self.sha256,
            "images": self.images,
            "reference": self.reference,
            **self._accuracies(),
            "agreement": round(self.agreement, 6),
            "clear_images": self.clear,
            "clear_images_agreed": self.clear_agreed,
            "max_probability_difference": float(f"{self.max_difference:.3g}"),
            **self.further.to_json(),
            "made_by": self.made_by,
            "attempts": self.attempts,
            "milliseconds": None if self.milliseconds is None else float(f"{self.milliseconds:.3g}"),
            "passed": not self.misses,
            "misses": list(self.misses),
            "warnings": list(self.warnings),
        }

    def _accuracies(self) -> dict[str, Any]:
        """None without labels."""
        if not self.is_labelled:
            return dict.fromkeys(("reference_accuracy", "accuracy", "accuracy_95_interval"))
        low, high = wilson_interval(self.correct, self.images)
        return {
            "reference_accuracy": round(self.reference_correct / self.images, 6),
            "accuracy": round(self.accuracy, 6),
            "accuracy_95_interval": [round(low, 6), round(high, 6)],
        }


def check_parity(
    path: Path,
    precision: str,
    reference: Reference,
    limits: GateLimits,
    card: ModelDescription | None = None,
    *,
    threads: int | None = None,
) -> Parity:
    """Compare the predictions of the file at `path` with those of the reference model.

    A file that does not open, or whose predictions depend on the batch size, is a miss like any other.
    card: describes a file without one. threads: for the engine; default all cores.
    """
    try:
        probabilities, further = _predict(Classifier.open(path, device="cpu", card=card, threads=threads), path, reference)
    except EdgeclfError as error:
        miss = str(error).replace(str(path), path.name)
        return Parity.failed(path.name, precision, reference, miss, path.stat().st_size)
    same = probabilities.argmax(axis=1) == reference.probabilities.argmax(axis=1)
    top_two = np.sort(reference.probabilities, axis=1)[:, -2:]
    clear = top_two[:, 1] - top_two[:, 0] > (MARGIN if precision == "fp32" else REDUCED_MARGIN)
    measured = Parity(
        name=path.name,
        precision=precision,
        images=len(reference.images),
        size_bytes=path.stat().st_size,
        reference_correct=reference.correct,
        correct=_count_correct(probabilities, reference.images),
        agreement=float(same.mean()),
        clear=int(clear.sum()),
        clear_agreed=int((same & clear).sum()),
        max_difference=float(np.abs(probabilities - reference.probabilities).max()),
        misses=(),
        is_labelled=reference.is_labelled,
        reference=reference.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        further=FurtherParity.of(further, reference.further),
    )
    misses = _find_misses(measured, limits, reference.name)
    unlike = measured.further.misses(reference.name, is_reduced=precision != "fp32")
    if reference.further.is_binding:
        return replace(measured, misses=(*misses, *unlike))
    return replace(measured, misses=tuple(misses), warnings=tuple(unlike))


def allowed_loss(reference_correct: int, max_drop: float) -> int:
    """How many correct predictions may be lost: the share `max_drop` of them, which is 0 below 1 / max_drop of them."""
    return math.floor(reference_correct * max_drop + 1e-9)


def _count_correct(probabilities: NDArray[np.float32], images: Arrays) -> int:
    return int((probabilities.argmax(axis=1) == images.labels).sum())


def _predict(classifier: Classifier, path: Path, reference: Reference) -> tuple[NDArray[np.float32], FurtherReference]:
    """Probabilities for all images, float32 `[N, classes]`, and the further outputs that the reference model has, too.

    Raises ModelError if the probabilities depend on the batch size.
    """
    images, classes = reference.images.images, reference.probabilities.shape[1]
    if len(classifier.card.classes) != classes:
        raise ModelError(f"{path} has {plural(len(classifier.card.classes), 'class')}, but {reference.name} has {classes:,}")
    rows: list[NDArray[np.float32]] = []

    def answers() -> Iterator[Answers]:
        for batch in batches(images, 32):
            part = classifier.answers(batch, reference.further.names)
            rows.append(part.probabilities)
            yield part

    further = FurtherReference.of(answers(), reference.probabilities.argmax(axis=1))
    probabilities = np.concatenate(rows)
    probe = np.arange(max(BATCHES)) % len(images)
    for size in BATCHES:
        repeated = np.concatenate([classifier.probabilities(batch) for batch in batches(images[probe], size)])
        if np.abs(repeated - probabilities[probe]).max() > 1e-5:
            raise ModelError(f"{path} predicts differently in batches of {size} than in batches of 32")
    return probabilities, further


def _find_misses(measured: Parity, limits: GateLimits, reference: str) -> list[str]:
    """Sentences that say which limits are exceeded."""
    misses = []
    allowed = 0
    if measured.precision != "fp32":
        allowed = max(1, int(measured.clear * (1 - AGREEMENT)))
    elif not measured.max_difference <= limits.atol:
        misses.append(f"a probability differs by {measured.max_difference:.2g}; the limit is {limits.atol:.2g}")
    if measured.clear - measured.clear_agreed > allowed:
        counts = f"{measured.clear_agreed} of the {measured.clear} clear images"
        misses.append(f"it agrees with {reference} on {counts}; {allowed} may differ")
    lost = measured.reference_correct - measured.correct
    if lost > allowed_loss(measured.reference_correct, limits.max_drop):
        misses.append(
            f"{measured.correct} of {measured.images} images are correct, but {measured.reference_correct} with "
            f"{reference}; the limit is a loss of {limits.max_drop:.2%}"
        )
    return misses
