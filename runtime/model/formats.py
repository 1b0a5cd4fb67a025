"""The formats of model files by their suffixes, and what only stands for a model file."""

from pathlib import Path
from typing import Literal

from edgeclf.runtime.errors import ModelError

ModelFormat = Literal["ONNX", "TFLite", "Keras", "HDF5"]
"""Keras files are for training: `.keras`, and the older `.h5`, which is HDF5."""

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
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


def check_content(path: Path, data: bytes) -> None:
    """Raise ModelError for a file that only stands for a model: an empty one, or a pointer of Git LFS."""
    if not data:
        raise ModelError(f"{path} is empty; export or copy the model again")
    if data.startswith(_LFS_POINTER):
        raise ModelError(f"{path} is a pointer of Git LFS, not the model itself; fetch it with git lfs pull")
