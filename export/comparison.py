"""Compares exported files with a reference model, later or on another machine. The runtime is enough."""

from collections.abc import Sequence
from pathlib import Path

from edgeclf.export.calibration import read_images
from edgeclf.export.gate_report import GateReport
from edgeclf.export.options import CheckOptions
from edgeclf.export.parity import Reference, check_parity
from edgeclf.export.reference_check import reference_remarks
from edgeclf.runtime.model.classifier import require_runnable
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.any_model import open_any


def compare(paths: Sequence[Path], options: CheckOptions, card: ModelDescription | None = None) -> GateReport:
    """Compare `.onnx` and `.tflite` files with `options.against`. card: describes those without one.

    Raises ModelError or DatasetError.
    """
    for path in paths:
        require_runnable(path)
    model = open_any(options.against, card=card)
    images = read_images(options.data or options.against, model.card)
    note(f"comparing on {plural(len(images), 'image')} ...")
    reference = Reference(images, model.probabilities(images.images), options.against.name)
    return GateReport(
        tuple(check_parity(path, options.precision, reference, options.limits, card) for path in paths),
        options.against.name,
        str(options.data or options.against),
        options.limits,
        reference_remarks(reference, model.card.classes),
    )
