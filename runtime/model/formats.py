"""The formats of model files by their suffixes."""

from pathlib import Path
from typing import Literal

ModelFormat = Literal["ONNX", "TFLite", "Keras", "HDF5"]
"""Keras files are for training: `.keras`, and the older `.h5`, which is HDF5."""

_FORMATS: dict[str, ModelFormat] = {
    ".onnx": "ONNX",
    ".tflite": "TFLite",
    ".lite": "TFLite",
    ".keras": "Keras",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
}


def model_format(path: Path) -> ModelFormat | None:
    """The format that the suffix says, in capitals or not; None for any other suffix.

    >>> model_format(Path("MODEL.ONNX")), model_format(Path("model.int8.lite")), model_format(Path("model.zip"))
    ('ONNX', 'TFLite', None)
    """
    return _FORMATS.get(path.suffix.lower())


def is_runnable(path: Path) -> bool:
    """Whether the suffix is that of a file that the runtime can open."""
    return model_format(path) in ("ONNX", "TFLite")
