"""What travels between the machine that runs the command and those that classify."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.images.decode import Checks
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.results.fingerprint import Fingerprint
from edgeclf.runtime.results.parts import Parts
from edgeclf.runtime.results.row import RowBuilder


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs to know, the model included: no machine has to have it.

    version: of edgeclf, the same everywhere. model_name, model: the name of its file, and its bytes. card: as
    for Classifier.open. batch: as for `classify`. folder: what relative paths are relative to. roots: folders and archives
    that every machine must see. made_with: as for Parts.check. run: what the names of its parts begin with.
    """

    version: str
    model_name: str
    model: bytes
    card: ModelCard | None
    builder: RowBuilder
    checks: Checks
    batch: int | None
    folder: str
    roots: tuple[str, ...]
    parts: Parts
    made_with: Fingerprint
    run: str = ""


@dataclass(frozen=True)
class Portion:
    """Frames that are classified together and become one part, the one with this number."""

    number: int
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class Done:
    """What became of a portion: its part is written, or `trouble` says why the whole run has to end.

    setting: what classified it, for people.
    """

    images: int = 0
    failed: int = 0
    setting: str = ""
    trouble: EdgeclfError | None = None


def pack(items: Sequence[Any]) -> pa.Table:
    """A table of a row each, for Ray Data; pickled, because names of files may be no valid text."""
    return pa.table({_COLUMN: pa.array([pickle.dumps(item) for item in items], pa.binary())})


def unpack(table: pa.Table) -> list[Any]:
    """The inverse of `pack`."""
    return [pickle.loads(item) for item in table[_COLUMN].to_pylist()]


_COLUMN = "pickled"
