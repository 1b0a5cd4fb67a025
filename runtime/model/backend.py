"""The protocol between a classifier and the engine that runs its file, and the table of engines."""

import importlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.digest import check_digest


class Backend(Protocol):
    """A loaded model. `run` may be called from several threads at once."""

    engine: str
    """Name and version of the engine."""
    device: str
    """Where it really runs: `cpu`, `cuda:N` or `tensorrt:N`."""
    input_shape: tuple[int, int, int]
    """`(H, W, C)` of one image."""
    card_text: str | None
    """The model card that the file carries, unparsed."""

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """uint8 `[N, H, W, C]`, 0 to 255, to float32 `[N, classes]`; any N of at least 1."""
        ...


class BatchError(ModelError):
    """A batch that a sound model cannot answer, most often because it does not fit into memory."""


class ContractError(ModelError):
    """A sound model that takes something else than images as edgeclf makes them."""


_BACKENDS = {
    ".onnx": ("edgeclf.runtime.model.onnx_backend", "OnnxBackend"),
    ".tflite": ("edgeclf.runtime.model.litert_backend", "LitertBackend"),
}


def open_backend(path: Path, device: str, threads: int) -> Backend:
    """Load a model file with the engine for its suffix; the engine is imported here and not before.

    device: as in Classifier.open. threads: cores for a single `run`.
    Raises ModelError for a file that is missing, damaged or no model; DeviceError for a device that is not there.
    """
    if path.suffix not in _BACKENDS:
        hint = "; export it first: clf-export " + str(path) if path.suffix in (".keras", ".h5") else ""
        raise ModelError(f"{path} is no {' or '.join(_BACKENDS)} file{hint}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from None
    if not data:
        raise ModelError(f"{path} is empty; export or copy the model again")
    check_digest(path, data)
    module, name = _BACKENDS[path.suffix]
    backend: Backend = getattr(importlib.import_module(module), name)(path, data, device, threads)
    return backend


def contract_error(path: Path, found: str) -> ContractError:
    """The sentence for a model that breaks the contract; `found` says what it takes."""
    return ContractError(
        f"{path} does not take one uint8 image batch [batch, H, W, C] (it takes {found}); make it with clf-export"
    )


def batch_error(images: int, error: Exception) -> BatchError:
    """The sentence for a model that loaded and then failed on a batch."""
    return BatchError(f"the model cannot answer a batch of {images} ({first_line(error)}); try another --batch")
