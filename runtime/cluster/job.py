"""What travels between the machine that runs the command and the workers."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.description import ModelDescription
from edgeclf.runtime.results.fingerprint import Fingerprint
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.row import RowBuilder

_COLUMN = "pickled"


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs, including the model, which therefore need not be on any other machine.

    version: of edgeclf, and it must be the same everywhere. model_name, model: the name and content of the model file.
    card: as for Classifier.open. batch, outputs: as for `classify_batches`. folder: relative paths are relative to it.
    roots: folders and archives that every machine must see. fingerprint: as for Parts.check. run_prefix: from Parts.begin.
    """

    version: str
    model_name: str
    model: bytes
    card: ModelCard | ModelDescription | None
    builder: RowBuilder
    checks: Checks
    batch: int | None
    outputs: tuple[str, ...]
    folder: str
    roots: tuple[str, ...]
    parts: Parts
    fingerprint: Fingerprint
    run_prefix: str = ""


@dataclass(frozen=True)
class Portion:
    """Frames that one worker classifies together. Their rows become the Parquet part with this number."""

    number: int
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class PortionResult:
    """The counts of a portion whose part is written; or `error`, which must end the whole run.

    setting: the engine and device, for people.
    """

    images: int = 0
    failed: int = 0
    setting: str = ""
    error: EdgeclfError | None = None


def pack(items: Sequence[Any]) -> pa.Table:
    """A table for Ray Data with one row per item. Items are pickled, because file names need not be valid text."""
    return pa.table({_COLUMN: pa.array([pickle.dumps(item) for item in items], pa.binary())})


def unpack(table: pa.Table) -> list[Any]:
    """The inverse of `pack`."""
    return [pickle.loads(item) for item in table[_COLUMN].to_pylist()]
