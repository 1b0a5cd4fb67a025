"""The edge side of edgeclf: open a model and classify images. Needs numpy, OpenCV and one engine, no training library."""

import importlib
from typing import TYPE_CHECKING

from edgeclf.runtime.version import __version__

if TYPE_CHECKING:
    from edgeclf.runtime.errors import EdgeclfError, ImageError, Reason
    from edgeclf.runtime.images.frame import Frame
    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard
    from edgeclf.runtime.model.classifier import Classifier
    from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction
    from edgeclf.runtime.outcomes import classify
    from edgeclf.runtime.sources.source import open_source

_MODULES = {
    "Classifier": "model.classifier",
    "EdgeclfError": "errors",
    "Failure": "model.prediction",
    "Frame": "images.frame",
    "ModelCard": "model.card",
    "Outcome": "model.prediction",
    "ImageError": "errors",
    "Prediction": "model.prediction",
    "Preprocess": "images.preprocess",
    "Reason": "errors",
    "classify": "outcomes",
    "open_source": "sources.source",
}

__all__ = [
    "Classifier",
    "EdgeclfError",
    "Failure",
    "Frame",
    "ModelCard",
    "Outcome",
    "ImageError",
    "Prediction",
    "Preprocess",
    "Reason",
    "__version__",
    "classify",
    "open_source",
]


def __getattr__(name: str) -> object:
    """Import a public name on first access, so that `--help` does not wait for OpenCV."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
