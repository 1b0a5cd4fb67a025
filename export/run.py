"""One export: a trained model becomes verified artefacts, or a table that shows why not."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.artifacts import publish_all, staging_folder
from edgeclf.export.calibration import ExportImages, choose_images
from edgeclf.export.external_model import ExternalModel, attach_card, attach_card_to
from edgeclf.export.int8 import search
from edgeclf.export.parity import GateLimits, Parity, check
from edgeclf.export.targets import ExportContext, Target
from edgeclf.export.timing import Performance, choose, milliseconds, pareto
from edgeclf.export.to_onnx import OPSET, check_opset
from edgeclf.runtime.errors import DatasetError, GateError, ModelError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes, publish_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.version import __version__
from edgeclf.train.keras_file.saving import KerasModel, open_keras

SENSITIVITY_IMAGES = 16
"""Calibration images that show how sensitive a layer is."""
_SMALLEST = 1 / 512  # half a step of a probability in 8 bits


@dataclass(frozen=True)
class Export:
    """What an export found. published: the artefacts under their final names; none when the gate was missed, unless
    those that missed were to be left out.
    """

    evidence: ExportImages
    parities: tuple[Parity, ...]
    published: tuple[Path, ...]

    @property
    def passed(self) -> bool:
        return not any(parity.misses for parity in self.parities)

    @property
    def missed(self) -> tuple[str, ...]:
        """The names of those that missed the gate."""
        return tuple(parity.name for parity in self.parities if parity.misses)

    @property
    def ship(self) -> str:
        """The name of the one to ship; empty where nothing was published."""
        timed = self._timed()
        return list(timed)[choose(list(timed.values()))] if timed else ""

    @property
    def trade_offs(self) -> tuple[str, ...]:
        """The names of those that no other beats in time, accuracy and size alike."""
        timed = self._timed()
        return tuple(name for name, best in zip(timed, pareto(list(timed.values())), strict=True) if best)

    def _timed(self) -> dict[str, Performance]:
        return {
            parity.name: Performance(parity.milliseconds, parity.correct, parity.size_bytes)
            for parity in self.parities
            if parity.milliseconds is not None
        }


def export(
    path: Path,
    folder: Path,
    targets: tuple[Target, ...],
    limits: GateLimits,
    data: Path | None = None,
    *,
    external: ExternalModel | None = None,
    opset: int = OPSET,
    leave_out: bool = False,
) -> Export:
    """Convert, verify and, if every artefact passes, publish to `folder`, with the parity report and `SHA256SUMS`.

    data: labelled images in place of those that the model brings along. external: describes a model without a card.
    leave_out: publish what passed even if something else missed, or could not be made at all.
    Raises ModelError, DatasetError, OptionError or OutputError; a missed gate is no error here but an `Export` that did not
    pass.
    """
    check_opset(opset)
    model = attach_card(path, external) if external else open_keras(path)
    return _export(model, folder, targets, limits, data, opset, leave_out)


def export_network(
    network: keras.Model,
    external: ExternalModel,
    folder: Path,
    data: Path,
    targets: tuple[Target, ...],
    limits: GateLimits = GateLimits(),  # noqa: B008 (frozen)
    *,
    name: str = "model",
    opset: int = OPSET,
) -> Export:
    """As `export`, for a network in memory: the way for classes of one's own, which no file can bring along safely."""
    check_opset(opset)
    model = attach_card_to(network, external, folder / f"{name}.keras")
    return _export(model, folder, targets, limits, data, opset, leave_out=False)


def _export(
    model: KerasModel,
    folder: Path,
    targets: tuple[Target, ...],
    limits: GateLimits,
    data: Path | None,
    opset: int,
    leave_out: bool,
) -> Export:
    calibrate = any(target.calibrates for target in targets)
    evidence = choose_images(model, data, calibrate=calibrate)
    if calibrate and not len(evidence.calibration):
        raise DatasetError(f"{model.path} carries no sample images to calibrate int8 with; name some with --data DIR")
    reference = model.answers(evidence.verification.images)
    if not np.isfinite(reference).all():
        raise ModelError(f"{model.path} answers with NaN or infinity; train it again")
    with staging_folder(folder) as hidden:
        work = ExportContext(model, evidence, hidden / "unfinished", opset)
        make_folder(work.folder)
        gate = _Gate(work, reference, limits, hidden)
        parities = tuple(gate.make(target, leave_out) for target in targets)
        passed = [parity.name for parity in parities if not parity.misses]
        result = Export(evidence, parities, ())
        if not passed or not (leave_out or result.passed):
            return result
        result = replace(result, parities=_with_times(parities, hidden, evidence.verification.images))
        report = hidden / f"{model.path.stem}.parity.json"
        publish_text(report, _report(result, limits))
        publish_all([*(hidden / name for name in passed), report], folder)
    return replace(result, published=tuple(folder / name for name in passed))


@dataclass(frozen=True)
class _Gate:
    """Where artefacts are made and judged. reference: what the network answers, float32 `[N, classes]`."""

    work: ExportContext
    reference: NDArray[np.float32]
    limits: GateLimits
    folder: Path

    def make(self, target: Target, leave_out: bool) -> Parity:
        """Write one artefact to `folder`, and judge it; INT8 gets several attempts."""
        name = self.work.model.path.stem + target.suffix
        note(f"converting and verifying {name} ...")
        try:
            made = target.convert(self.work)
            if isinstance(made, bytes):
                return self._judge(made, name, target)
            found = search(made, lambda data: self._judge(data, name, target), _Error(self.work, target))
        except (ModelError, GateError) as error:
            if not leave_out:
                raise
            return Parity.failed(name, target.precision, self.work.evidence.verification, self.reference, str(error))
        publish_bytes(self.folder / name, found.data)
        return found.parity

    def _judge(self, data: bytes, name: str, target: Target) -> Parity:
        path = self.folder / name
        publish_bytes(path, data)
        return check(path, name, target.precision, self.work.evidence.verification, self.reference, self.limits)


class _Error:
    """How far a file's answers are from the network's: the mean difference of their logarithms on calibration images.

    Of their logarithms, since training images get probabilities near 0 and 1, where hardly any error shows.
    """

    def __init__(self, work: ExportContext, target: Target) -> None:
        self._images = work.evidence.calibration.images[:SENSITIVITY_IMAGES]
        self._reference = _logarithms(work.model.answers(self._images))
        self._path = work.folder / f"sensitivity{target.suffix}"

    def __call__(self, data: bytes) -> float:
        publish_bytes(self._path, data)
        answers = Classifier.open(self._path, device="cpu").probabilities(self._images)
        return float(np.abs(_logarithms(answers) - self._reference).mean())


def _logarithms(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(probabilities, _SMALLEST))


def _with_times(parities: Sequence[Parity], folder: Path, images: Pixels) -> tuple[Parity, ...]:
    """The same with the time of one image for those that passed."""
    note("timing one image at a time ...")
    opened = {p.name: Classifier.open(folder / p.name, device="cpu") for p in parities if not p.misses}
    medians = milliseconds([partial(classifier.probabilities, images[:1]) for classifier in opened.values()])
    times = dict(zip(opened, medians, strict=True))
    return tuple(replace(parity, milliseconds=times.get(parity.name)) for parity in parities)


def _report(result: Export, limits: GateLimits) -> str:
    fields = {
        "verified_on": result.evidence.origin,
        "limits": asdict(limits),
        "artifacts": [parity.to_json() for parity in result.parities],
        "ship": result.ship,
        "trade_offs": result.trade_offs,
        "made_with": {
            "edgeclf": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "onnx": onnx.__version__,
        },
    }
    return json.dumps(fields, indent=1) + "\n"
