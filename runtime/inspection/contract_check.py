"""Opens a model as `clf-run` would, in a process of its own: engines have died of damaged files."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgeclf.runtime.errors import EdgeclfError, first_line
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.backend import Backend, ContractError, open_backend
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.terminal.console import missing_extra

_TIMEOUT_S = 300

Verdict = Literal["kept", "broken", "unusable", "not tried"]


@dataclass(frozen=True)
class ContractCheck:
    """Whether the model keeps edgeclf's contract. detail: why not, as a sentence."""

    verdict: Verdict
    engine: str = ""
    detail: str = ""


def check_contract(path: Path) -> ContractCheck:
    """Open `path` with the engine for its suffix and let it answer one black image."""
    line = [sys.executable, "-P", "-m", __name__, os.fspath(path)]
    try:
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ContractCheck("unusable", detail=f"{path} has not answered one image in {_TIMEOUT_S} s")
    if done.returncode:
        return ContractCheck(
            "unusable", detail=f"the engine dies of {path} (status {done.returncode}); copy or export it again"
        )
    return ContractCheck(**json.loads(done.stdout.splitlines()[-1]))


def _attempt(path: Path) -> ContractCheck:
    try:
        backend = open_backend(path, "cpu", 1)
    except ContractError as error:
        return ContractCheck("broken", detail=str(error))
    except EdgeclfError as error:
        return ContractCheck("unusable", detail=str(error))
    except ImportError as error:
        return ContractCheck("not tried", detail=missing_extra(error) or first_line(error))
    try:
        card = _stand_in(path, backend) if backend.card_text is None else None
        Classifier.open(path, device="cpu", threads=1, card=card)
    except EdgeclfError as error:
        return ContractCheck("broken", backend.engine, str(error))
    return ContractCheck("kept", backend.engine)


def _stand_in(path: Path, backend: Backend) -> ModelCard:
    """A card for a model that carries none, with numbers for names."""
    height, width, channels = backend.input_shape
    answer = backend.run(np.zeros((1, height, width, channels), np.uint8))
    if answer.ndim != 2:
        raise ContractError(f"{path} answers one image with shape {list(answer.shape)}, not [1, classes]")
    return ModelCard(tuple(map(str, range(answer.shape[1]))), Preprocess((height, width), channels))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_attempt(Path(sys.argv[1])))))
