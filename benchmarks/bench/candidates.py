"""What is measured: every model file with every device, batch size and number of threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.model.adoption.not_runnable import why_not_run
from edgeclf.runtime.model.digest import is_exported
from edgeclf.runtime.model.formats import is_runnable, model_format
from edgeclf.runtime.model.model_file import missing_model, read_bytes
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural


@dataclass(frozen=True)
class Candidate:
    """One model file in one configuration. name: short and unique. batch: None for the size that `clf-run` would choose."""

    name: str
    model: Path
    device: str
    batch: int | None
    threads: int

    def __str__(self) -> str:
        return f"{self.name}, {self.device}, batch {self.batch or 'auto'}, {plural(self.threads, 'thread')}"

    def to_json(self) -> dict[str, Any]:
        """The fields that a `Task` takes from it."""
        return {"model": str(self.model), "device": self.device, "batch": self.batch, "threads": self.threads}


@dataclass(frozen=True)
class FoundModels:
    """left_out: a sentence for each file in a folder that carries no card, so that nothing is known about it."""

    models: tuple[Path, ...]
    left_out: tuple[str, ...] = ()


def find_models(paths: Sequence[Path], *, described: bool = False) -> FoundModels:
    """All model files in `paths` and directly in its folders, each once. In a folder, the shortest suffix comes first.

    described: whether the user has described models without a card. Otherwise those in a folder are left out.
    Raises ModelError for a folder without model files, and for a file that is not an exported model.
    """
    found: list[Path] = []
    left_out: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(_require_exported(path))
            continue
        inside = [each for each in path.iterdir() if is_runnable(each)]
        if not inside:
            trained = path / "model.keras"
            cure = f"export it: clf-export {trained}" if trained.is_file() else "name a folder with exported models"
            raise ModelError(f"{path} has no .onnx or .tflite file; {cure}")
        inside.sort(key=lambda each: (len(each.suffixes), each.suffix, each.name))
        known = [each for each in inside if described or _is_known(each)]
        if not known:
            raise ModelError(f"no model in {path} carries a card with its classes; name them with --classes labels.txt")
        found += known
        left_out += [each for each in inside if each not in known]
    distinct: dict[Path, Path] = {}
    for path in found:
        distinct.setdefault(path.resolve(), path)
    sentences = [f"left out: {path} carries no model card; name its classes with --classes labels.txt" for path in left_out]
    return FoundModels(tuple(distinct.values()), tuple(sentences))


def list_candidates(
    models: Mapping[Path, str], devices: Sequence[str], batches: Sequence[int | None], threads: Sequence[int]
) -> tuple[Candidate, ...]:
    """Every combination that can run. models: their names, by file. Raises OptionError when nothing can run."""
    found = tuple(
        Candidate(name, model, device, batch, count)
        for (model, name), device, count, batch in product(models.items(), devices, threads, batches)
        if _runs_on(model, device)
    )
    for model, name in models.items():
        if skipped := [device for device in devices if not _runs_on(model, device)]:
            note(f"{name} runs only on the CPU and is not measured on {', '.join(skipped)}")
    if not found:
        raise OptionError(f"none of the models runs on {', '.join(devices)}; add a .onnx file or --device cpu")
    return found


def short_names(models: Sequence[Path]) -> list[str]:
    """File names, preceded by as few folders as make all of them different.

    >>> short_names([Path("a/x/model.onnx"), Path("a/y/model.onnx")])
    ['x/model.onnx', 'y/model.onnx']
    """
    parts = [model.absolute().parts for model in models]
    depth = 1
    while len({each[-depth:] for each in parts}) < len(parts) and depth < max(map(len, parts)):
        depth += 1
    return [str(Path(*each[-depth:])) for each in parts]


def _require_exported(path: Path) -> Path:
    if model_format(path) == "Keras":
        raise ModelError(
            f"{path} is not an exported model; compare with it (--against {path}), or export it (clf-export {path})"
        )
    if not is_runnable(path):
        raise ModelError(why_not_run(path))
    if not path.exists():
        raise missing_model(path)
    return path


def _is_known(path: Path) -> bool:
    """Whether the file carries a card, or is so damaged that opening it says more."""
    try:
        return is_exported(read_bytes(path))
    except ModelError:
        return True


def _runs_on(model: Path, device: str) -> bool:
    return model_format(model) != "TFLite" or device in ("auto", "cpu")
