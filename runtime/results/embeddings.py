"""Embeddings in a file of their own: Parquet with the path of each, or an array of NumPy in the order of the rows."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sinks import FormatWriter, Sink, check_writable, published_sink
from edgeclf.runtime.storage.own_files import refuse_foreign

_ADVICE = "name another file with --embeddings"
_HEADER_BYTES = 256
"""Of an array. NumPy fills the header up to a multiple of 64 with spaces; this many tell our files from others."""
_MAGIC = b"\x93NUMPY\x01\x00"


class EmbeddingFormat(Protocol):
    """Opens a writer: size, count as in `open_embeddings`."""

    def __call__(self, file: BinaryIO, size: int, count: int) -> FormatWriter: ...

    def wrote(self, path: Path) -> bool:
        """Whether a file is one of embeddings, written by edgeclf. Raises OSError."""
        ...


@contextmanager
def open_embeddings(path: Path, size: int, count: int) -> Iterator[Sink]:
    """A sink for rows that have embeddings. The file gets its name when the block ends without an error.

    path: `.parquet` or `.npy`. size: numbers in each embedding. count: of the rows that will come. Raises as `open_sink`.
    """
    format_ = _format(path)
    refuse_foreign(path, format_.wrote, _ADVICE)
    with published_sink(path, partial(format_, size=size, count=count), keeps_rows=False) as sink:
        yield sink


def check_embeddings(path: Path) -> None:
    """Raise what `open_embeddings` would raise, before anything is classified. Creates nothing."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"--embeddings {path} is not a file; {_ADVICE}")
    check_writable(Path(os.path.realpath(path)))
    refuse_foreign(path, _format(path).wrote, _ADVICE)


class ArrayWriter:
    """An array of NumPy, float32 `[count, size]`, version 1.0 of its format:
    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """

    def __init__(self, file: BinaryIO, size: int, count: int) -> None:
        shape = {"descr": "<f4", "fortran_order": False, "shape": (count, size)}
        text = repr(shape).ljust(_HEADER_BYTES - len(_MAGIC) - 3) + "\n"
        file.write(_MAGIC + struct.pack("<H", len(text)) + text.encode("ascii"))
        self._file = file

    def write(self, row: Row) -> None:
        self._file.write(row.embedding)

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The owner of the file closes it."""

    @staticmethod
    def wrote(path: Path) -> bool:
        """Whether the file begins as those of this class do. Raises OSError."""
        with open(path, "rb") as file:
            found = file.read(_HEADER_BYTES)
        return found.startswith(_MAGIC + struct.pack("<H", _HEADER_BYTES - len(_MAGIC) - 2) + b"{'descr': '<f4'")


def _format(path: Path) -> EmbeddingFormat:
    if path.suffix.lower() == ".npy":
        return ArrayWriter
    from edgeclf.runtime.results.parquet_sink import ParquetEmbeddings

    return ParquetEmbeddings
