"""Exports a trained model: converts it, verifies the files, and publishes them if they pass."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.artifacts import check_free, publish_all, staging_folder
from edgeclf.export.calibration import choose_images
from edgeclf.export.external_model import attach_card_to, load_external
from edgeclf.export.gate_report import GateReport
from edgeclf.export.int8 import search
from edgeclf.export.options import ExportOptions, ExternalModel, GateLimits
from edgeclf.export.parity import Parity, Reference, check_parity
from edgeclf.export.reference_check import check_reference, reference_remarks
from edgeclf.export.targets import ExportContext, Target
from edgeclf.export.timing import milliseconds
from edgeclf.runtime.errors import DatasetError, GateError, ModelError, OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes, publish_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.version import __version__
from edgeclf.train.keras_file.saving import KerasModel, open_keras

SENSITIVITY_IMAGES = 16
"""Calibration images used to measure how sensitive a layer is."""
_SMALLEST = 1 / 512  # half a step of an 8-bit probability


@dataclass(frozen=True)
class Export(GateReport):
    """The result of an export. published: the files under their final names.

    If a file failed, none is published, unless failed files were to be left out.
    """

    published: tuple[Path, ...] = ()


def export(
    path: Path,
    folder: Path,
    targets: tuple[Target, ...],
    options: ExportOptions = ExportOptions(),  # noqa: B008 (frozen)
    *,
    leave_out: bool = False,
) -> Export:
    """Convert and verify a model. If every file passes, publish them to `folder` with a parity report and `SHA256SUMS`.

    leave_out: publish the files that passed even if others failed or could not be made.
    Raises ModelError, DatasetError, OptionError or OutputError. A failed gate is not an exception; see `Export.passed`.
    """
    if not options.external.classes:
        return _export(open_keras(path), folder, targets, options, leave_out=leave_out)
    network = load_external(path, options.external)
    return _export_external(network, path, folder, targets, options, leave_out=leave_out)


def export_network(
    network: keras.Model, folder: Path, targets: tuple[Target, ...], options: ExportOptions, *, name: str = "model"
) -> Export:
    """Like `export`, for a network in memory. Use it for custom classes, which cannot be loaded safely from a file.

    `options.external` must name the classes, and `options.data` the images. name: the files are called `name.onnx` etc.
    """
    if options.data is None:
        raise OptionError("a network in memory brings no images; name some with ExportOptions(data=...)")
    return _export_external(network, folder / f"{name}.keras", folder, targets, options, leave_out=False)


def _export_external(
    network: keras.Model, path: Path, folder: Path, targets: tuple[Target, ...], options: ExportOptions, *, leave_out: bool
) -> Export:
    """Its labels and its scaling are only what its owner says, so the labelled images must confirm them."""

    def attach(external: ExternalModel) -> KerasModel:
        return attach_card_to(network, external, path)

    def check(reference: Reference) -> tuple[str, ...]:
        return check_reference(reference, options.external, attach)

    return _export(attach(options.external), folder, targets, options, leave_out=leave_out, check=check)


def _export(
    model: KerasModel,
    folder: Path,
    targets: tuple[Target, ...],
    options: ExportOptions,
    *,
    leave_out: bool,
    check: Callable[[Reference], tuple[str, ...]] | None = None,
) -> Export:
    report_name = f"{model.path.stem}.parity.json"
    check_free(folder, [*(model.path.stem + target.suffix for target in targets), report_name])
    calibrate = any(target.calibrates for target in targets)
    images = choose_images(model, options.data, calibrate=calibrate)
    if calibrate and not len(images.calibration):
        raise DatasetError(f"{model.path} carries no sample images to calibrate int8; name some with --data DIR")
    reference = Reference(images.verification, model.probabilities(images.verification.images))
    if not np.isfinite(reference.probabilities).all():
        raise ModelError(f"{model.path} returns NaN or infinity; train it again")
    remarks = check(reference) if check else reference_remarks(reference, model.card.classes)
    with staging_folder(folder) as staging:
        context = ExportContext(model, images, staging / "unfinished", options.opset)
        make_folder(context.folder)
        gate = _Gate(context, reference, options.limits, staging)
        parities = tuple(gate.make(target, leave_out) for target in targets)
        result = Export(parities, reference.name, images.origin, options.limits, remarks)
        passed = [parity.name for parity in parities if not parity.misses]
        if not passed or not (leave_out or result.passed):
            return result
        result = replace(result, parities=_with_times(parities, staging, reference.images.images))
        report = staging / report_name
        publish_text(report, _report_text(result))
        publish_all([*(staging / name for name in passed), report], folder)
    return replace(result, published=tuple(folder / name for name in passed))


@dataclass(frozen=True)
class _Gate:
    """Makes files in `folder` and compares them with the reference model."""

    context: ExportContext
    reference: Reference
    limits: GateLimits
    folder: Path

    def make(self, target: Target, leave_out: bool) -> Parity:
        """Make one file and check it. INT8 gets several attempts."""
        name = self.context.model.path.stem + target.suffix
        note(f"converting and verifying {name} ...")
        try:
            made = target.convert(self.context)
            if isinstance(made, bytes):
                return self._check(made, name, target)
            found = search(made, lambda data: self._check(data, name, target), _OutputError(self.context, target))
        except (ModelError, GateError) as error:
            if not leave_out:
                raise
            return Parity.failed(name, target.precision, self.reference, str(error))
        publish_bytes(self.folder / name, found.data)
        return found.parity

    def _check(self, data: bytes, name: str, target: Target) -> Parity:
        publish_bytes(self.folder / name, data)
        return check_parity(self.folder / name, target.precision, self.reference, self.limits)


class _OutputError:
    """Measures the error of a file: the mean difference of log probabilities from the network, on calibration images.

    It compares logarithms, because training images get probabilities near 0 and 1, where hardly any error shows.
    """

    def __init__(self, context: ExportContext, target: Target) -> None:
        self._images = context.images.calibration.images[:SENSITIVITY_IMAGES]
        self._expected = _logarithms(context.model.probabilities(self._images))
        self._path = context.folder / f"sensitivity{target.suffix}"

    def __call__(self, data: bytes) -> float:
        publish_bytes(self._path, data)
        probabilities = Classifier.open(self._path, device="cpu").probabilities(self._images)
        return float(np.abs(_logarithms(probabilities) - self._expected).mean())


def _logarithms(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(np.maximum(probabilities, _SMALLEST))


def _with_times(parities: Sequence[Parity], folder: Path, images: Pixels) -> tuple[Parity, ...]:
    """The parities with the time per image for the files that passed."""
    note("timing one image at a time ...")
    opened = {p.name: Classifier.open(folder / p.name, device="cpu") for p in parities if not p.misses}
    medians = milliseconds([partial(classifier.probabilities, images[:1]) for classifier in opened.values()])
    times = dict(zip(opened, medians, strict=True))
    return tuple(replace(parity, milliseconds=times.get(parity.name)) for parity in parities)


def _report_text(result: Export) -> str:
    fields = {
        "verified_on": result.origin,
        "limits": result.limits.to_json(),
        "artifacts": [parity.to_json() for parity in result.parities],
        "remarks": result.remarks,
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
