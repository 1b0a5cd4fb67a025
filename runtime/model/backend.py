"""The interface between a classifier and the engine that runs its model file, and the table of engines."""

import importlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.digest import check_digest
from edgeclf.runtime.model.output_contract import OutputLevels


class Backend(Protocol):
    """A loaded model. `run` may be called from several threads at once."""

    engine: str
    """Name and version of the engine."""
    device: str
    """The device in use: `cpu`, `cuda:N` or `tensorrt:N`."""
    input_shape: tuple[int, int, int]
    """`(H, W, C)` of one image."""
    card_text: str | None
    """The model card in the file, as JSON text; None without a card."""
    output_levels: OutputLevels | None
    """The values that a quantised output can have; None for a float output."""

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """Classify uint8 images `[N, H, W, C]`, 0 to 255; returns the file's own numbers, float32 `[N, classes]`.

        N is at least 1.
        """
        ...


class BatchError(ModelError):
    """A valid model failed on a batch, usually because the batch does not fit into memory."""


class ContractError(ModelError):
    """A valid model whose input is not a uint8 image batch."""


_BACKENDS = {
    ".onnx": ("edgeclf.runtime.model.onnx_backend", "OnnxBackend"),
    ".tflite": ("edgeclf.runtime.model.litert_backend", "LitertBackend"),
}


def open_backend(path: Path, device: str, threads: int) -> Backend:
    """Load a model file with the engine for its suffix. The engine is imported only here.

    device: see Classifier.open. threads: CPU threads for one `run`.
    Raises ModelError if the file is missing, damaged or not a model, and DeviceError if the device is not available.
    """
    if path.suffix not in _BACKENDS:
        hint = "; export it first: clf-export " + str(path) if path.suffix in (".keras", ".h5") else ""
        raise ModelError(f"{path} is not a {' or '.join(_BACKENDS)} file{hint}")
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
    """The error for a model that breaks the input contract. found: what the model takes instead."""
    return ContractError(
        f"{path} does not take one uint8 image batch [batch, H, W, C] (it takes {found}); make it with clf-export"
    )


def batch_error(images: int, error: Exception) -> BatchError:
    """The error for a model that loaded but failed on a batch."""
    return BatchError(f"the model failed on a batch of {images} ({first_line(error)}); try another --batch")
