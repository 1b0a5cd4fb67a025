"""The labels that a shell offers for `--on-label`: the classes of the model that the command line names."""

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from typer import Context

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.completion import TYPED


def complete_labels(ctx: Context, incomplete: str) -> list[str]:
    """`LABEL:` for each class, for `unsure` and for `unknown`; without the classes if no model is named or it has no card.

    Labels that a shell would have to quote are left out.
    """
    labels: list[str] = []
    with suppress(EdgeclfError, OSError, ValueError, ImportError, StopIteration):
        labels += _classes(next(_models([*ctx.meta.get(TYPED, ()), os.environ.get("CLF_MODEL", "")])))
    return [
        f"{label}:"
        for label in (*labels, "unsure", "unknown")
        if label.startswith(incomplete) and shlex.quote(label) == label
    ]


def _models(words: list[str]) -> Iterator[Path]:
    return (Path(word) for word in words if word.endswith((".onnx", ".tflite")))


def _classes(model: Path) -> tuple[str, ...]:
    from edgeclf.runtime.model.card import CARD_KEY, ModelCard, read_zip_card
    from edgeclf.runtime.model.conventions.onnx_properties import read_onnx_properties

    if model.suffix == ".tflite":
        return ModelCard.from_json(read_zip_card(model) or "").classes
    return ModelCard.from_json(read_onnx_properties(model.read_bytes()).get(CARD_KEY, "")).classes
