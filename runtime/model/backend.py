"""The interface between a classifier and the engine that runs its model file, and the table of engines."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, first_line
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.model.digest import check_digest
from edgeclf.runtime.model.formats import is_runnable, model_format
from edgeclf.runtime.model.further_outputs import Shape
from edgeclf.runtime.model.model_file import read_bytes
from edgeclf.runtime.model.output_contract import OutputLevels

INPUT, OUTPUT = "image", "probabilities"
"""The names of the input and the first output of every model file that edgeclf writes."""


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
    one_by_one: bool
    """Whether images are run one by one, because the file takes one at a time."""
    output_levels: OutputLevels | None
    """The values that a quantised output can have; None for a float output."""

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """Classify uint8 images `[N, H, W, C]`, 0 to 255; returns the file's own numbers, float32 `[N, classes]`.

        N is at least 1.
        """
        ...

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """The shape of each output of the file, with None for sides that are open."""
        ...

    def run_outputs(self, images: Pixels, places: Sequence[int]) -> list[NDArray[np.float32]]:
        """Like `run`, but returns the outputs at these places of the file, float32. 0 is the one of `run`.

        It may take another way through the engine, so that `run` costs no more because of it.
        """
        ...


class BatchError(ModelError):
    """A valid model failed on a batch, usually because the batch does not fit into memory."""


class ContractError(ModelError):
    """A valid model whose input is not a uint8 image batch."""


_BACKENDS = {
    "ONNX": ("edgeclf.runtime.model.onnx_backend", "OnnxBackend"),
    "TFLite": ("edgeclf.runtime.model.litert_backend", "LitertBackend"),
}


def open_backend(path: Path, device: str, threads: int, data: bytes | None = None) -> Backend:
    """Load a model file with the engine for its suffix. The engine is imported only here.

    device: see Classifier.open. threads: CPU threads for one `run`. data: the model to run, if it is not what the file
        holds.
    Raises ModelError if the file is missing, damaged or not a model, and DeviceError if the device is not available.
    """
    if not is_runnable(path):
        raise ModelError(f"{path} is not a .onnx or .tflite file; make one with clf-export")
    data = read_model_file(path) if data is None else data
    module, name = _BACKENDS[str(model_format(path))]
    backend: Backend = getattr(importlib.import_module(module), name)(path, data, device, threads)
    return backend


def read_model_file(path: Path) -> bytes:
    """The bytes of a model file whose digest, if it has one, is right. Raises ModelError."""
    data = read_bytes(path)
    check_digest(path, data)
    return data


def contract_error(path: Path, found: str) -> ContractError:
    """The error for a model that breaks the input contract. found: what the model takes instead."""
    problem = f"{path} does not take one uint8 image batch [batch, H, W, C] (it takes {found})"
    return ContractError(f"{problem}; adopt it: clf-export {path} --data photos/")


def batch_error(images: int, error: Exception) -> BatchError:
    """The error for a model that loaded but failed on a batch."""
    cure = "try a smaller batch" if images > 1 else "it needs more memory than there is, or is damaged"
    return BatchError(f"the model failed on a batch of {images} ({first_line(error)}); {cure}")
