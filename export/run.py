"""One export: a trained model becomes verified artefacts, or a table that shows why not."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf

from edgeclf.export.artifacts import publish_all, workshop
from edgeclf.export.calibration import Evidence, gather
from edgeclf.export.parity import Limits, Parity, check
from edgeclf.export.to_onnx import to_onnx
from edgeclf.export.to_tflite import to_tflite
from edgeclf.runtime import __version__
from edgeclf.runtime.console import note
from edgeclf.runtime.errors import DatasetError, ModelError, OptionError
from edgeclf.runtime.publishing import publish_bytes, publish_text
from edgeclf.train.results.evaluation import probabilities
from edgeclf.train.results.saving import KerasModel, open_keras

Converter = Callable[[KerasModel, Evidence], bytes]


@dataclass(frozen=True)
class Target:
    """A kind of artefact: its format, precision, and the end of its file name."""

    format: str
    precision: str
    suffix: str
    convert: Converter


TARGETS = (
    Target("onnx", "fp32", ".onnx", lambda model, _: to_onnx(model)),
    Target("tflite", "fp32", ".fp32.tflite", lambda model, _: to_tflite(model, "fp32")),
    Target("tflite", "fp16", ".fp16.tflite", lambda model, _: to_tflite(model, "fp16")),
    Target("tflite", "dynamic", ".dynamic.tflite", lambda model, _: to_tflite(model, "dynamic")),
    Target("tflite", "int8", ".int8.tflite", lambda model, evidence: to_tflite(model, "int8", evidence.calibration.images)),
)
DEFAULTS = (("onnx", "fp32"), ("tflite", "int8"))


@dataclass(frozen=True)
class Export:
    """What an export found. published: the files under their final names; empty when the gate was missed."""

    evidence: Evidence
    parities: tuple[Parity, ...]
    published: tuple[Path, ...]

    @property
    def passed(self) -> bool:
        return not any(parity.misses for parity in self.parities)


def choose_targets(formats: tuple[str, ...], precisions: tuple[str, ...]) -> tuple[Target, ...]:
    """Every known combination of what is asked for; nothing asked for means DEFAULTS. Raises OptionError."""
    for asked, known in ((formats, {t.format for t in TARGETS}), (precisions, {t.precision for t in TARGETS})):
        for name in asked:
            if name not in known:
                raise OptionError(f"there is no {name!r} to export; choose from {', '.join(sorted(known))}")
    chosen = tuple(
        target
        for target in TARGETS
        if target.format in (formats or (target.format,))
        and (target.precision in precisions if precisions else (target.format, target.precision) in DEFAULTS)
    )
    for asked, made in ((precisions, {t.precision for t in chosen}), (formats, {t.format for t in chosen})):
        for name in asked:
            if name not in made:
                raise OptionError(
                    f"nothing asked for comes in {name}: ONNX is made in fp32, TFLite in fp32, fp16, dynamic, int8"
                )
    return chosen


def export(path: Path, folder: Path, targets: tuple[Target, ...], limits: Limits, data: Path | None = None) -> Export:
    """Convert, verify and, if every artefact passes, publish to `folder`, with the parity report and `SHA256SUMS`.

    Raises ModelError, DatasetError or OutputError; a missed gate is no error here but an `Export` that did not pass.
    """
    model = open_keras(path)
    calibrate = any(target.precision == "int8" for target in targets)
    evidence = gather(model, data, calibrate=calibrate)
    if calibrate and not len(evidence.calibration):
        raise DatasetError(f"{path} carries no sample pictures to calibrate int8 with; name some with --data DIR")
    reference = probabilities(model.network, evidence.verification.images)
    if not np.isfinite(reference).all():
        raise ModelError(f"{path} answers with NaN or infinity; train it again")
    parities = []
    with workshop(folder) as hidden:
        files = []
        for target in targets:
            name = path.stem + target.suffix
            note(f"converting and verifying {name} ...")
            publish_bytes(hidden / name, target.convert(model, evidence))
            parities.append(check(hidden / name, name, target.precision, evidence.verification, reference, limits))
            files.append(hidden / name)
        result = Export(evidence, tuple(parities), ())
        if not result.passed:
            return result
        report = hidden / f"{path.stem}.parity.json"
        publish_text(report, _report(result, limits))
        publish_all([*files, report], folder)
    return replace(result, published=tuple(folder / file.name for file in files))


def _report(result: Export, limits: Limits) -> str:
    fields = {
        "verified_on": result.evidence.origin,
        "limits": asdict(limits),
        "artifacts": [parity.to_json() for parity in result.parities],
        "made_with": {
            "edgeclf": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "onnx": onnx.__version__,
        },
    }
    return json.dumps(fields, indent=1) + "\n"
