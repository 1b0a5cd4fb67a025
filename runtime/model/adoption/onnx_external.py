"""Brings the weights that an ONNX file keeps in other files into it. The files must lie in its own folder."""

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.adoption.onnx_safety import BYTES, stored_tensors
from edgeclf.runtime.model.onnx_schema import EXTERNAL

MAX_BYTES = (1 << 31) - 1
"""The most that a protobuf message can hold."""


def bring_inside(path: Path, model: Any) -> None:
    """Store all weights in the model itself.

    path: of the model. Raises ModelError if a file is missing, too short, or anything but a regular file in the model's own
    folder, and if the whole is 2 GB or more.
    """
    tensors = [tensor for tensor in stored_tensors(model) if tensor.data_location == EXTERNAL]
    needed = [math.prod(tensor.dims) * BYTES.get(tensor.data_type, 0) for tensor in tensors]
    if sum(needed) + model.ByteSize() > MAX_BYTES:
        raise ModelError(
            f"{path} is 2 GB or larger with its weights, more than one ONNX file can hold; take a smaller network"
        )
    files: dict[str, list[tuple[Any, int]]] = {}
    for tensor, size in zip(tensors, needed, strict=True):
        files.setdefault(_entries(tensor).get("location", ""), []).append((tensor, size))
    for location, wanted in files.items():
        with _open_beside(path, location) as file:
            for tensor, size in wanted:
                _fill(path, location, tensor, (file, size))


def _fill(path: Path, location: str, tensor: Any, source: tuple[IO[bytes], int]) -> None:
    file, size = source
    entries = _entries(tensor)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        file_bytes = os.fstat(file.fileno()).st_size
        if length != size or not 0 <= offset <= file_bytes - size:
            raise ValueError(f"a weight of {size:,} bytes cannot be {length:,} bytes from {offset:,} of {file_bytes:,}")
    except ValueError as error:
        raise ModelError(f"{path} does not fit {location!r} ({error}); copy or export both again") from None
    file.seek(offset)
    tensor.raw_data = file.read(size)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _entries(tensor: Any) -> dict[str, str]:
    return {
        entry.key.decode("utf-8", "replace"): entry.value[:1000].decode("utf-8", "surrogateescape")
        for entry in tensor.external_data
    }


@contextmanager
def _open_beside(path: Path, location: str) -> Iterator[IO[bytes]]:
    """A regular file in the folder of the model, which no link leads out of."""
    problem = f"{path} keeps its weights in {location!r}"
    inside = location and not os.path.isabs(location) and ".." not in Path(location.replace("\\", "/")).parts
    if not inside or "\0" in location or ":" in location:
        raise ModelError(f"{problem}, which is outside its folder; export the model again, with its weights beside it")
    try:
        folder = path.parent.resolve()
        real = (folder / location).resolve()
        if not real.is_relative_to(folder):
            raise ModelError(f"{problem}, a link that leads out of its folder; copy both into one folder: cp -L")
        with open(real, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                kind = "not a regular file" if not stat.S_ISREG(status.st_mode) else "a hard link to a file with other names"
                raise ModelError(f"{problem}, which is {kind}; copy both into one folder")
            yield file
    except FileNotFoundError:
        raise ModelError(f"{problem}, which is missing; put that file beside it") from None
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{problem}, which cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _open_at_once(path: str, flags: int) -> int:
    """A pipe must not wait for a writer, and a link that appears after the check must not be followed."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
