"""The edge side of edgeclf: open a model, classify pictures. Needs numpy, OpenCV and one engine; nothing of training."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from edgeclf.runtime.errors import EdgeclfError, PictureError, Reason
    from edgeclf.runtime.frames.frame import Frame
    from edgeclf.runtime.frames.preprocess import Preprocess
    from edgeclf.runtime.frames.sources import open_source
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.model.classifier import Classifier
    from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction
    from edgeclf.runtime.pipeline import classify

_HOMES = {
    "Classifier": "model.classifier",
    "EdgeclfError": "errors",
    "Failure": "model.prediction",
    "Frame": "frames.frame",
    "ModelCard": "model.card",
    "Outcome": "model.prediction",
    "PictureError": "errors",
    "Prediction": "model.prediction",
    "Preprocess": "frames.preprocess",
    "Reason": "errors",
    "classify": "pipeline",
    "open_source": "frames.sources",
}

__all__ = [
    "Classifier",
    "EdgeclfError",
    "Failure",
    "Frame",
    "ModelCard",
    "Outcome",
    "PictureError",
    "Prediction",
    "Preprocess",
    "Reason",
    "__version__",
    "classify",
    "open_source",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that `--help` need not wait for OpenCV."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
