"""The folder of a training run: which of its model files to take, and the memory of which one was recommended."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from edgeclf.runtime.errors import ModelError, OutputError
from edgeclf.runtime.model.digest import is_exported
from edgeclf.runtime.model.formats import is_runnable
from edgeclf.runtime.model.model_file import read_bytes
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.storage.own_files import is_json_object, refuse_foreign
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape

MEMORY_NAME = "recommended.json"
TRAINED_NAME = "model.keras"
_FILE, _BY = "recommended", "by"
"""The keys of the memory: a file in the same folder, and the command that recommended it."""


@dataclass(frozen=True)
class Choice:
    """A model file in a folder. why: goes behind its name. problem: why the folder's memory was not used, if it has one."""

    model: Path
    why: str = ""
    problem: str = ""

    def take(self) -> Path:
        """The file. Notes say which one it is, and why."""
        if self.problem:
            note(f"{self.model.parent / MEMORY_NAME} is ignored: {self.problem}")
        note(f"model: {self.model}{self.why and ', ' + self.why}")
        return self.model


def remember(model: Path, by: str, *, compared: int) -> None:
    """Keep in its folder that the command `by` recommends `model`. A folder that cannot be written to gets a note.

    compared: of how many files it was the best. One that was not compared with another replaces no earlier recommendation.
    """
    memory = model.parent / MEMORY_NAME
    if compared < 2 and _recall(model.parent)[0]:
        return
    try:
        refuse_foreign(memory, lambda path: is_json_object(path, _FILE, _BY), "rename it")
        publish_text(memory, json.dumps({_FILE: model.name, _BY: by}, indent=1) + "\n")
    except OutputError as error:
        note(f"the recommendation is not remembered: {error}")


def choose(folder: Path, *patterns: str) -> Choice | None:
    """The file that was recommended in a folder, else the first pattern's file with the shortest name; None without any.

    Only a recommended one has a `why`.
    """
    remembered, problem = _recall(folder)
    if remembered:
        return remembered
    for pattern in patterns:
        files = sorted(filter(Path.is_file, folder.glob(pattern)), key=lambda path: (len(path.name), path.name))
        if files:
            return Choice(files[0], problem=problem)
    return None


def model_in_run(path: Path) -> Path:
    """The file to take where a run folder is named as the model; any other path as it is. A note says which, and why."""
    if not path.is_dir():
        return path
    choice = choose(path, "model*.onnx", "model*.tflite")
    if choice and choice.why:
        return choice.take()
    if choice and _is_ours(choice.model):
        return replace(choice, why="because no file is recommended there").take()
    return trained_in_run(path)


def trained_in_run(path: Path) -> Path:
    """Like `model_in_run`, for commands that want the trained model itself."""
    trained = path / TRAINED_NAME
    return Choice(trained, "the trained one").take() if trained.is_file() else path


def _recall(folder: Path) -> tuple[Choice | None, str]:
    """What the memory says, and why it cannot be used; without a memory, neither."""
    try:
        content = json.loads((folder / MEMORY_NAME).read_bytes())
        name, by = content[_FILE], content[_BY]
        is_plain = isinstance(by, str) and Path(name).name == name and is_runnable(Path(name))
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"it cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, RecursionError):
        is_plain = False
    if not is_plain:
        return None, "it is damaged"
    if not (folder / name).is_file():
        return None, f"{escape(name)} is gone"
    return Choice(folder / name, f"which {escape(by)} recommended"), ""


def _is_ours(model: Path) -> bool:
    """Whether the file carries a card. Folders of other tools have rules of their own for which model counts."""
    try:
        return is_exported(read_bytes(model))
    except ModelError:
        return False
