"""The state of a training after an epoch, in one file: a training that is killed can be resumed from it."""

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.storage.atomic_write import publish_bytes

CHECKPOINT_NAME = "checkpoint.npz"
Weights = list[NDArray[Any]]

_NUMBERS = ("stage", "epoch", "best_losses", "best_epoch", "waited", "seconds", "rows")
_ARRAYS = ("weights", "best", "optimizer")


@dataclass
class Checkpoint:
    """stage, epoch: the current stage, from 0, and the number of its completed epochs.

    best_losses, best_epoch, best: the validation losses of the best epoch, of each image or their mean, that epoch (counted
    from 1 over all stages), and its weights.
    waited: epochs since then. seconds: time spent so far. rows: the history. weights, optimizer: the current variables.
    """

    stage: int = 0
    epoch: int = 0
    best_losses: list[float] = field(default_factory=list)
    best_epoch: int = 0
    waited: int = 0
    seconds: float = 0.0
    rows: list[dict[str, float | str]] = field(default_factory=list)
    weights: Weights = field(default_factory=list)
    best: Weights = field(default_factory=list)
    optimizer: Weights = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Replace the file atomically: if the disk is full, the previous checkpoint remains. Raises OutputError."""
        file = io.BytesIO()
        kept = [name for name in _ARRAYS if not (name == "best" and self.best is self.weights)]  # large: not twice
        arrays = {f"{name}{index:04}": a for name in kept for index, a in enumerate(getattr(self, name))}
        np.savez(file, state=np.array(json.dumps({name: getattr(self, name) for name in _NUMBERS})), **arrays)
        publish_bytes(path, file.getvalue())

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Raises ModelError if the file is damaged."""
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                state: dict[str, Any] = json.loads(str(file["state"]))
                for name in _ARRAYS:
                    state[name] = [file[key] for key in sorted(file.files) if key.startswith(name)]
                state["best"] = state["best"] or (state["weights"] if state["waited"] == 0 else [])
                return cls(**state)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path} cannot be read ({error}); remove it to start the training again") from None
