"""Makes the files of an export, checks each against the reference model, and publishes them if they pass."""

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeclf.export.artifacts import check_free, publish_all, staging_folder
from edgeclf.export.calibration import ExportImages
from edgeclf.export.gate_report import GateReport
from edgeclf.export.int8 import search
from edgeclf.export.options import GateLimits
from edgeclf.export.parity import Parity, Reference, check_parity
from edgeclf.export.target import Target
from edgeclf.export.timing import milliseconds
from edgeclf.runtime.errors import DatasetError, GateError, ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.backend import open_backend
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes, publish_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.notebook import table_html
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.version import __version__

SENSITIVITY_IMAGES = 16
"""Calibration images used to measure how sensitive a layer is."""
TRAINED = "quantisation-aware training"
_SMALLEST = 1 / 512  # half a step of an 8-bit probability


class Context(Protocol):
    """What the targets convert, such as an ExportContext. folder: for temporary files."""

    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True)
class Subject:
    """A model under export. name: its files begin with it. reference: what each file must agree with.

    probabilities: the model in float, from uint8 images `[N, H, W, C]` to float32 `[N, classes]`.
    context: makes what the targets convert, given a folder for temporary files. compared: a sentence that says what was
    compared with what. remarks: what the labels say against the reference model. made_with: versions of packages.
    """

    name: str
    images: ExportImages
    reference: Reference
    probabilities: Callable[[Pixels], NDArray[np.float32]]
    context: Callable[[Path], Context]
    compared: str = ""
    remarks: tuple[str, ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Export(GateReport):
    """The result of an export. published: the files under their final names.

    If a file failed, none is published, unless that file was optional.
    """

    published: tuple[Path, ...] = ()

    @property
    def model(self) -> Path:
        """The file to ship. Raises GateError if no file was published."""
        for path in self.published:
            if path.name == self.ship:
                return path
        raise GateError(f"no file was published, because {', '.join(self.failed)} failed the gate")

    def __repr__(self) -> str:
        files = ", ".join(f"{parity.name} {parity.verdict}" for parity in self.parities)
        ship = f"; ship {self.ship}" if self.published else "; nothing was published"
        return f"Export({files}{ship})"

    def _repr_html_(self) -> str:
        rows = [(parity.name, parity.verdict) for parity in self.parities]
        folder = self.published[0].parent if self.published else "nothing was published"
        origin = ("verified on", f"{plural(self.parities[0].images, 'image')} ({self.origin})")
        return table_html(str(folder), [*rows, origin, *([("ship", self.ship)] if self.published else [])])


def check_output_folder(folder: Path, name: str, targets: Sequence[Target]) -> None:
    """Raise OutputError if the export would replace a file that is no earlier export."""
    check_free(folder, [*(name + target.suffix for target in targets), _report_name(name)])


def check_reference_runs(reference: Reference, path: Path) -> None:
    """Raise ModelError if the model at `path` returned NaN or infinity."""
    if not np.isfinite(reference.probabilities).all():
        raise ModelError(f"{path} returns NaN or infinity; train it again")


def check_calibration(images: ExportImages, targets: Sequence[Target], path: Path) -> None:
    """Raise DatasetError if a target needs images to calibrate and there are none."""
    if any(target.calibrates for target in targets) and not len(images.calibration):
        raise DatasetError(f"{path} carries no sample images to calibrate int8; name some with --data DIR")


def export_files(subject: Subject, targets: Sequence[Target], folder: Path, limits: GateLimits) -> Export:
    """Make the targets. If every file passes, publish them to `folder` with a parity report and `SHA256SUMS`.

    Optional files that fail or cannot be made are left out.
    Raises ModelError or OutputError. A failed gate is not an exception; see `Export.passed`.
    """
    reference = subject.reference
    with staging_folder(folder) as staging:
        temporary = staging / "unfinished"
        make_folder(temporary)
        maker = _Maker(subject, subject.context(temporary), limits, staging)
        parities = tuple(maker.make(target) for target in targets)
        result = Export(
            parities, reference.name, subject.images.origin, limits, remarks=subject.remarks, compared=subject.compared
        )
        passed = [parity.name for parity in parities if not parity.misses]
        if not passed or any(p.misses and not target.optional for p, target in zip(parities, targets, strict=True)):
            return result
        result = replace(result, parities=_with_times(parities, staging, reference.images.images))
        report = staging / _report_name(subject.name)
        publish_text(report, _report_text(result, subject.made_with))
        publish_all([*(staging / name for name in passed), report], folder)
    return replace(result, published=tuple(folder / name for name in passed))


@dataclass(frozen=True)
class _Maker:
    """Makes files in `folder` and compares them with the reference model."""

    subject: Subject
    context: Context
    limits: GateLimits
    folder: Path

    def make(self, target: Target) -> Parity:
        """Make one file and check it. INT8 gets several attempts."""
        name = self.subject.name + target.suffix
        note(f"converting and verifying {name} ...")
        try:
            made = target.convert(self.context)
            if isinstance(made, bytes):
                return replace(self._check(made, name, target), made_by=TRAINED if target.trains else "")
            error = _OutputError(self.subject, Path(name))

            def check(data: bytes, threads: int) -> Parity:
                return self._check_apart(data, name, target, threads)

            found = search(made, check, error, target.alternative)
        except (ModelError, GateError) as error:
            if not target.optional:
                raise
            return Parity.failed(name, target.precision, self.subject.reference, str(error))
        publish_bytes(self.folder / name, found.data)
        return found.parity

    def _check(self, data: bytes, name: str, target: Target) -> Parity:
        publish_bytes(self.folder / name, data)
        return check_parity(self.folder / name, target.precision, self.subject.reference, self.limits)

    def _check_apart(self, data: bytes, name: str, target: Target, threads: int) -> Parity:
        """In a folder of its own, because other attempts at this file may be checked at the same time."""
        with staging_folder(self.context.folder) as folder:
            path = folder / name
            publish_bytes(path, data)
            return check_parity(path, target.precision, self.subject.reference, self.limits, threads=threads)


class _OutputError:
    """Measures the error of a file against the network, on calibration images; see `answer_error`.

    path: names the kind of file; none is written. Each file is measured with one thread, because several are at once.
    """

    def __init__(self, subject: Subject, path: Path) -> None:
        self._images = subject.images.calibration.images[:SENSITIVITY_IMAGES]
        self._probabilities = subject.probabilities
        self._path = path
        self._lock = threading.Lock()

    def __call__(self, data: bytes, without_shift: bool) -> float:
        with self._lock:  # the reference model answers once, and only if a search needs it
            expected = self._expected
        probabilities = open_backend(self._path, "cpu", 1, data).run(self._images)
        return answer_error(probabilities, expected, without_shift=without_shift)

    @cached_property
    def _expected(self) -> NDArray[np.float32]:
        return self._probabilities(self._images)


def answer_error(found: NDArray[np.float32], expected: NDArray[np.float32], *, without_shift: bool) -> float:
    """The mean difference of log probabilities, both `[N, classes]`; infinite if any is NaN or infinite.

    It compares logarithms, because training images get probabilities near 0 and 1, where hardly any error shows.
    without_shift: a difference that is the same for all images does not count, because it will be corrected. Of one image,
    all counts.
    """
    if not np.isfinite(found).all():
        return math.inf
    difference = _logarithms(found) - _logarithms(expected)
    if without_shift and len(difference) > 1:
        difference -= difference.mean(axis=0)
    return float(np.abs(difference).mean())


def _logarithms(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(probabilities, _SMALLEST))


def _with_times(parities: Sequence[Parity], folder: Path, images: Pixels) -> tuple[Parity, ...]:
    """The parities with the time per image for the files that passed."""
    note("timing one image at a time ...")
    opened = {p.name: Classifier.open(folder / p.name, device="cpu") for p in parities if not p.misses}
    medians = milliseconds([partial(classifier.probabilities, images[:1]) for classifier in opened.values()])
    times = dict(zip(opened, medians, strict=True))
    return tuple(replace(parity, milliseconds=times.get(parity.name)) for parity in parities)


def _report_name(name: str) -> str:
    return f"{name}.parity.json"


def _report_text(result: Export, made_with: Mapping[str, str]) -> str:
    fields: dict[str, Any] = {
        "verified_on": result.origin,
        "compared": result.compared,
        "limits": result.limits.to_json(),
        "artifacts": [parity.to_json() for parity in result.parities],
        "remarks": result.remarks,
        "ship": result.ship,
        "trade_offs": result.trade_offs,
        "made_with": {"edgeclf": __version__, **made_with},
    }
    return json.dumps(fields, indent=1) + "\n"
