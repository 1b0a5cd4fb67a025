"""`edgeclf.export(...)`: what `clf-export` does, from Python."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeclf.export.external_options import ExternalModel
from edgeclf.export.options import ExportOptions, GateLimits, TargetOptions
from edgeclf.export.start import left_out, raise_if_failed, remember_choice, start_export
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.notebook import native_output_hidden

if TYPE_CHECKING:
    from edgeclf.export.gate import Export
    from edgeclf.train.run import Run


def export(  # noqa: PLR0913 (an editor shows each option with its type)
    model: "str | os.PathLike[str] | Run",
    *,
    output: str | os.PathLike[str] | None = None,
    formats: Sequence[str] = (),
    quantize: Sequence[str] = (),
    everything: bool = False,
    outputs: Sequence[str] = (),
    data: str | os.PathLike[str] | None = None,
    max_drop: float = 0.01,
    external: ExternalModel = ExternalModel(),  # noqa: B008 (frozen)
) -> "Export":
    """Export a trained model to ONNX and TFLite, or adopt one from another tool, and publish what predicts alike.

    model: what `edgeclf.train` returned, its folder or `model.keras`, or a model from another tool. output: a folder, by
    default the model's own. formats: of `onnx`, `tflite`. quantize: of `fp32`, `fp16`, `int8`, `dynamic`, `int16x8`; by
    default ONNX in fp32 and TFLite in int8. everything: every format in every precision; files that fail are left out.
    outputs: of `embedding` and `heatmap`, `all`, or `probabilities` for these alone; by default those that cost little.
    data: images to calibrate and verify with, instead of those of the training run. max_drop: the share of the accuracy
    that may be lost. external: describes a model without a card.

    `Export.model` is the file to ship. Raises EdgeclfError; GateError if a file does not answer as the trained model does.
    Then nothing is published.
    """
    from edgeclf.runtime.model.run_folder import trained_in_run

    path = trained_in_run(Path(model if isinstance(model, str | os.PathLike) else model.model))
    limits = GateLimits(max_drop=max_drop)
    targets = TargetOptions(_names(formats), _names(quantize), everything)
    options = ExportOptions(None if data is None else Path(data), limits, external=external, outputs=_names(outputs))
    with native_output_hidden():
        result = start_export(path, targets, options, None if output is None else Path(output))
    raise_if_failed(result, path)
    if result.failed:
        note(f"warning: {left_out(result)}")
    remember_choice(result)
    return result


def _names(names: Sequence[str]) -> tuple[str, ...]:
    """A single name needs no list around it."""
    return (names,) if isinstance(names, str) else tuple(names)
