"""Exports a trained Keras model: loads it, chooses images, and lets the gate decide what is published."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.export.calibration import choose_images, training_images
from edgeclf.export.data_images import read_data, with_classes
from edgeclf.export.external_model import (
    KERAS_DEFAULTS,
    attach_card_to,
    count_outputs,
    load_external,
)
from edgeclf.export.external_options import refuse_description
from edgeclf.export.frozen import freeze
from edgeclf.export.gate import (
    Export,
    Subject,
    check_calibration,
    check_output_folder,
    check_reference_runs,
    export_files,
)
from edgeclf.export.known_facts import known_facts
from edgeclf.export.options import ExportOptions
from edgeclf.export.parity import Reference
from edgeclf.export.reference_check import check_reference, reference_remarks
from edgeclf.export.target import Target
from edgeclf.export.targets import ExportContext
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.card import has_keras_card
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.package import find_model
from edgeclf.train.data.archives import unpacked
from edgeclf.train.keras_file.saving import KerasModel, open_keras


def export(
    path: Path,
    folder: Path,
    targets: tuple[Target, ...],
    options: ExportOptions = ExportOptions(),  # noqa: B008 (frozen)
    *,
    name: str | None = None,
) -> Export:
    """Convert and verify a model. If every file passes, publish them to `folder` with a parity report and `SHA256SUMS`.

    name: what the files are called; like the model's file by default.
    Raises ModelError, DatasetError, OptionError or OutputError. A failed gate is not an exception; see `Export.passed`.
    """
    job = _Job(name or path.stem, folder, targets, options)
    if has_keras_card(path):
        refuse_description(path, options.external)
        return _export(open_keras(path), job)
    with find_model(path) as package:
        facts = known_facts(package, options.external).over(KERAS_DEFAULTS)
    if facts.classes is None and options.data is None:
        open_keras(path)  # says what is missing
    network = load_external(path, options.external)
    return _export_external(network, facts, path, job)


def export_network(
    network: keras.Model, folder: Path, targets: tuple[Target, ...], options: ExportOptions, *, name: str = "model"
) -> Export:
    """Like `export`, for a network in memory. Use it for custom classes, which cannot be loaded safely from a file.

    `options.external` must name the classes, and `options.data` the images. name: the files are called `name.onnx` etc.
    """
    if options.data is None:
        raise OptionError("a network in memory brings no images; name some with ExportOptions(data=...)")
    facts = options.external.facts().over(KERAS_DEFAULTS)
    return _export_external(network, facts, folder / f"{name}.keras", _Job(name, folder, targets, options))


@dataclass(frozen=True)
class _Job:
    """What to make of a model. name: of its files. The rest is as for `export`."""

    name: str
    folder: Path
    targets: tuple[Target, ...]
    options: ExportOptions


def _export_external(network: keras.Model, facts: Facts, path: Path, job: _Job) -> Export:
    """Its labels and its scaling are only what its owner says, so the labelled images must confirm them."""
    data = job.options.data
    if facts.classes is None and data is not None:
        with unpacked(data) as root:
            images = read_data(root, data, calibrate=False)
        facts = with_classes(facts, count_outputs(network, facts, path), images)
    model = attach_card_to(network, facts, path)

    def answer(other: Facts, images: Pixels) -> NDArray[np.float32]:
        return attach_card_to(network, other, path).probabilities(images)

    def check(reference: Reference) -> tuple[str, ...]:
        return check_reference(reference, model.card.classes, facts, answer)

    return _export(model, job, check)


def _export(model: KerasModel, job: _Job, check: Callable[[Reference], tuple[str, ...]] | None = None) -> Export:
    check_output_folder(job.folder, job.name, job.targets)
    calibrate = any(target.calibrates for target in job.targets)
    images = choose_images(model, job.options.data, calibrate=calibrate, labels_optional=check is not None)
    check_calibration(images, job.targets, model.path)
    answers = model.probabilities(images.verification.images)
    reference = Reference(images.verification, answers)
    check_reference_runs(reference, model.path)
    frozen = freeze(model, job.options.outputs)
    further = frozen.further(images.verification.images, answers.argmax(axis=1))
    remarks = check(reference) if check else reference_remarks(reference, model.card.classes)
    training = training_images(model, job.options.data).images if any(one.trains for one in job.targets) else None
    context = partial(ExportContext, model, frozen, images, opset=job.options.opset, training=training)
    reference = replace(reference, further=replace(further, is_binding=bool(job.options.outputs)))
    subject = Subject(job.name, images, reference, model.probabilities, context, remarks=remarks, made_with=_versions())
    return export_files(subject, job.targets, job.folder, job.options.limits)


def _versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "onnx": onnx.__version__}
