"""Trains an image classifier on a folder of labelled images, exports it, and runs it on an edge device.

`import edgeclf` is instant: each name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from edgeclf.runtime.version import __version__

if TYPE_CHECKING:
    from edgeclf.export.function import export
    from edgeclf.runtime import (
        Classifier,
        EdgeclfError,
        Failure,
        Frame,
        ImageError,
        ModelCard,
        Outcome,
        Prediction,
        Preprocess,
        Reason,
        classify,
        open_source,
    )
    from edgeclf.train.function import train

_PACKAGES = ("train", "export", "runtime", "benchmarks")
"""The first two can be called."""

__all__ = [
    "train",
    "export",
    "Classifier",
    "classify",
    "open_source",
    "Prediction",
    "Failure",
    "Outcome",
    "Frame",
    "ModelCard",
    "Preprocess",
    "EdgeclfError",
    "ImageError",
    "Reason",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in __all__:
        return _from_runtime(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_PACKAGES})


def _from_runtime(name: str) -> object:
    try:
        return getattr(importlib.import_module(f"{__name__}.runtime"), name)
    except ImportError as error:
        from edgeclf.runtime.terminal.console import missing_extra

        if cure := missing_extra(error):
            error.add_note(cure)
        raise
