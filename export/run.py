"""Exports a trained Keras model: loads it, chooses images, and lets the gate decide what is published."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.calibration import choose_images
from edgeclf.export.external_model import KERAS_DEFAULTS, attach_card_to, load_external, refuse_description
from edgeclf.export.gate import (
    Export,
    Subject,
    check_calibration,
    check_output_folder,
    check_reference_runs,
    export_files,
)
from edgeclf.export.options import ExportOptions
from edgeclf.export.parity import Reference
from edgeclf.export.reference_check import check_reference, reference_remarks
from edgeclf.export.target import Target
from edgeclf.export.targets import ExportContext
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.train.keras_file.saving import KerasModel, open_keras


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
        refuse_description(path, options.external)
        return _export(open_keras(path), folder, targets, options, leave_out=leave_out)
    facts = options.external.facts().over(KERAS_DEFAULTS)
    network = load_external(path, options.external)
    return _export_external(network, facts, path, folder, targets, options, leave_out=leave_out)


def export_network(
    network: keras.Model, folder: Path, targets: tuple[Target, ...], options: ExportOptions, *, name: str = "model"
) -> Export:
    """Like `export`, for a network in memory. Use it for custom classes, which cannot be loaded safely from a file.

    `options.external` must name the classes, and `options.data` the images. name: the files are called `name.onnx` etc.
    """
    if options.data is None:
        raise OptionError("a network in memory brings no images; name some with ExportOptions(data=...)")
    facts = options.external.facts().over(KERAS_DEFAULTS)
    return _export_external(network, facts, folder / f"{name}.keras", folder, targets, options, leave_out=False)


def _export_external(
    network: keras.Model,
    facts: Facts,
    path: Path,
    folder: Path,
    targets: tuple[Target, ...],
    options: ExportOptions,
    *,
    leave_out: bool,
) -> Export:
    """Its labels and its scaling are only what its owner says, so the labelled images must confirm them."""
    model = attach_card_to(network, facts, path)

    def answer(other: Facts, images: Pixels) -> NDArray[np.float32]:
        return attach_card_to(network, other, path).probabilities(images)

    def check(reference: Reference) -> tuple[str, ...]:
        return check_reference(reference, model.card.classes, facts, answer)

    return _export(model, folder, targets, options, leave_out=leave_out, check=check)


def _export(
    model: KerasModel,
    folder: Path,
    targets: tuple[Target, ...],
    options: ExportOptions,
    *,
    leave_out: bool,
    check: Callable[[Reference], tuple[str, ...]] | None = None,
) -> Export:
    name = model.path.stem
    check_output_folder(folder, name, targets)
    images = choose_images(model, options.data, calibrate=any(target.calibrates for target in targets))
    check_calibration(images, targets, model.path)
    reference = Reference(images.verification, model.probabilities(images.verification.images))
    check_reference_runs(reference, model.path)
    remarks = check(reference) if check else reference_remarks(reference, model.card.classes)
    context = partial(ExportContext, model, images, opset=options.opset)
    subject = Subject(name, images, reference, model.probabilities, context, "", remarks, _versions())
    return export_files(subject, targets, folder, options.limits, leave_out=leave_out)


def _versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "onnx": onnx.__version__}
