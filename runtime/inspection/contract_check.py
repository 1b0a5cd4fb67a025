"""Opens a model as `clf-run` would, in a separate process, because damaged files have crashed engines."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgeclf.runtime.errors import EdgeclfError, first_line
from edgeclf.runtime.model.adoption.on_the_fly import look_at
from edgeclf.runtime.model.backend import ContractError, open_backend, read_model_file
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.runtime.model.conventions.facts import NOTHING
from edgeclf.runtime.model.digest import is_exported
from edgeclf.runtime.terminal.child import child_command
from edgeclf.runtime.terminal.console import missing_extra, print_data

_TIMEOUT_S = 300

Verdict = Literal["kept", "broken", "unusable", "not tried"]


@dataclass(frozen=True)
class ContractCheck:
    """Whether a model keeps edgeclf's input and output contract. detail: a sentence that says why not.

    A model from another tool is adopted first, with placeholders for what is unknown. one_by_one: whether images are run
    one by one, because of the file. head_is_open: whether only the owner of such a model knows what it returns.
    """

    verdict: Verdict
    engine: str = ""
    detail: str = ""
    one_by_one: bool = False
    head_is_open: bool = False


def check_contract(path: Path) -> ContractCheck:
    """Open `path` with the engine for its suffix and classify a few test images."""
    try:
        done = subprocess.run(
            child_command(__name__, path),
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
        data = read_model_file(path)
        return _check_own(path) if is_exported(data) else _check_foreign(path, data)
    except ContractError as error:
        return ContractCheck("broken", detail=str(error))
    except EdgeclfError as error:
        return ContractCheck("unusable", detail=str(error))
    except ImportError as error:
        return ContractCheck("not tried", detail=missing_extra(error) or first_line(error))


def _check_own(path: Path) -> ContractCheck:
    backend = open_backend(path, "cpu", 1)
    try:
        Classifier.open(path, device="cpu", threads=1)
    except EdgeclfError as error:
        return ContractCheck("broken", backend.engine, str(error))
    return ContractCheck("kept", backend.engine, one_by_one=backend.one_by_one)


def _check_foreign(path: Path, data: bytes) -> ContractCheck:
    adopted, known = look_at(path, data, NOTHING).tried(data)
    if adopted is None:
        return ContractCheck("not tried", detail="that depends on the size of its images")
    backend = open_backend(path, "cpu", 1, data=adopted.data)
    backend.run(np.zeros((1, *backend.input_shape), np.uint8))
    return ContractCheck("kept", backend.engine, one_by_one=backend.one_by_one, head_is_open=known.head_is_open)


def main() -> None:
    """Of the separate process."""
    print_data(json.dumps(asdict(_open_and_run(Path(sys.argv[1])))))
