"""Opens a model as `clf-run` would, in a separate process, because damaged files have crashed engines."""

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
    """Whether a model keeps edgeclf's input and output contract. detail: a sentence that says why not."""

    verdict: Verdict
    engine: str = ""
    detail: str = ""


def check_contract(path: Path) -> ContractCheck:
    """Open `path` with the engine for its suffix and classify a few test images."""
    command = [sys.executable, "-P", "-m", __name__, os.fspath(path)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ContractCheck(
            "unusable", detail=f"{path} did not classify the test images within {_TIMEOUT_S} s; copy or export it again"
        )
    if done.returncode:
        return ContractCheck(
            "unusable", detail=f"the engine crashed on {path} (status {done.returncode}); copy or export it again"
        )
    return ContractCheck(**json.loads(done.stdout.splitlines()[-1]))


def _open_and_run(path: Path) -> ContractCheck:
    try:
        backend = open_backend(path, "cpu", 1)
    except ContractError as error:
        return ContractCheck("broken", detail=str(error))
    except EdgeclfError as error:
        return ContractCheck("unusable", detail=str(error))
    except ImportError as error:
        return ContractCheck("not tried", detail=missing_extra(error) or first_line(error))
    try:
        card = _placeholder_card(path, backend) if backend.card_text is None else None
        Classifier.open(path, device="cpu", threads=1, card=card)
    except EdgeclfError as error:
        return ContractCheck("broken", backend.engine, str(error))
    return ContractCheck("kept", backend.engine)


def _placeholder_card(path: Path, backend: Backend) -> ModelCard:
    """A card with numbers as class names, for a model without one."""
    height, width, channels = backend.input_shape
    scores = backend.run(np.zeros((1, height, width, channels), np.uint8))
    if scores.ndim != 2:
        raise ContractError(f"{path} returns shape {list(scores.shape)} for one image, not [1, classes]")
    return ModelCard(tuple(map(str, range(scores.shape[1]))), Preprocess((height, width), channels))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_open_and_run(Path(sys.argv[1])))))
