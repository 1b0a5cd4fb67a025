"""Reads weights saved by PyTorch before version 1.6, without PyTorch: five pickles, then the numbers of each storage.

A pickle can run any program. This reader first checks the file's digest, and then allows only the four classes that a file
of tensors needs; they hold plain values.
"""

import hashlib
import io
import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError, first_line

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
STORAGES = {"FloatStorage": "<f4", "LongStorage": "<i8"}

_Storages = dict[str, NDArray[Any]]


def read_torch_file(path: Path, sha256: str) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of the file, by name and read-only. Integer counters (num_batches_tracked) are left out.

    Raises ModelError if the file has another digest, is truncated, or contains anything other than tensors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ModelError(f"{path} is not the expected file: its SHA-256 is {digest}, not {sha256}; install it again")
    try:
        return _parse(data)
    except Exception as error:  # a damaged pickle raises anything from IndexError to UnicodeDecodeError
        cause = f"is damaged, or not a file of PyTorch tensors in the format before 1.6 ({first_line(error)})"
        raise ModelError(f"{path} {cause}; copy it again, or use another one") from None


class _TensorUnpickler(pickle.Unpickler):
    """Turns tensors and storages into tuples that describe them, and rejects every other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: arguments
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in it")

    def persistent_load(self, description: Any) -> Any:
        return description


def _parse(data: bytes) -> dict[str, NDArray[np.float32]]:
    file = io.BytesIO(data)
    magic, version, system, tensors, keys = (_TensorUnpickler(file).load() for _ in range(5))
    if (magic, version, system["little_endian"]) != (MAGIC_NUMBER, PROTOCOL_VERSION, True):
        raise ValueError(f"magic number {magic}, protocol version {version}, little-endian {system['little_endian']}")
    # (storage, offset, shape, strides, ...), where a storage is ("storage", type, key, place, length, view).
    types = {tensor[0][2]: np.dtype(tensor[0][1]) for tensor in tensors.values()}
    storages = _read_storages(data, file.tell(), [(key, types[key]) for key in keys])
    arrays = {str(name): _view(storages, *tensor) for name, tensor in tensors.items()}
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


def _read_storages(data: bytes, position: int, keys: list[tuple[str, np.dtype[Any]]]) -> _Storages:
    """Each storage is its length in 8 bytes, then its numbers; numpy raises ValueError past the end of `data`."""
    storages = {}
    for key, dtype in keys:
        length = int.from_bytes(data[position : position + 8], "little")
        storages[key] = np.frombuffer(data, dtype, length, position + 8)
        position += 8 + storages[key].nbytes
    return storages


def _view(storages: _Storages, description: Any, offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    """The tensor as a view of its storage. Weights from TensorFlow are transposed in it, so the strides matter."""
    storage = storages[description[2]]
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or last >= storage.size or math.prod(shape) > storage.size:
        raise ValueError(f"a tensor of {list(shape)} does not fit a storage of {storage.size}")
    in_bytes = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, in_bytes, writeable=False)
