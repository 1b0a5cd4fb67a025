"""Who takes part: every file on every device, in every batch and with every number of threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.terminal.console import note

SUFFIXES = (".onnx", ".tflite")


@dataclass(frozen=True)
class Contender:
    """A file in one arrangement. name: short and like no other file's. batch: None for the one that `clf-run` would find."""

    name: str
    model: Path
    device: str
    batch: int | None
    threads: int

    def __str__(self) -> str:
        return f"{self.name}, {self.device}, batch {self.batch or 'auto'}, threads {self.threads}"

    def to_json(self) -> dict[str, Any]:
        """What a `Task` takes of it."""
        return {"model": str(self.model), "device": self.device, "batch": self.batch, "threads": self.threads}


def find_models(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files that are named, each once, and those in the folders that are; of these, the plainest name comes first.

    Raises ModelError for a folder without any, and for what is no exported model.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(_exported(path))
            continue
        inside = [each for each in path.iterdir() if each.suffix in SUFFIXES]
        if not inside:
            raise ModelError(f"{path} holds no {' or '.join(SUFFIXES)} file; make some: clf-export {path / 'model.keras'}")
        found += sorted(inside, key=lambda each: (len(each.suffixes), each.suffix, each.name))
    distinct: dict[Path, Path] = {}
    for path in found:
        distinct.setdefault(path.resolve(), path)
    return tuple(distinct.values())


def enter(
    models: Mapping[Path, str], devices: Sequence[str], batches: Sequence[int | None], threads: Sequence[int]
) -> tuple[Contender, ...]:
    """Every combination that there is; `models` by their names. Raises OptionError when there is none."""
    found = tuple(
        Contender(name, model, device, batch, count)
        for (model, name), device, count, batch in product(models.items(), devices, threads, batches)
        if _runs_on(model, device)
    )
    for model, name in models.items():
        if lacking := [device for device in devices if not _runs_on(model, device)]:
            note(f"{name} runs on the CPU only and is not measured on {', '.join(lacking)}")
    if not found:
        raise OptionError(f"none of the models runs on {', '.join(devices)}; add a .onnx file, or --device cpu")
    return found


def short_names(models: Sequence[Path]) -> list[str]:
    """As few folders before the file's name as tell all of them apart.

    >>> short_names([Path("a/x/model.onnx"), Path("a/y/model.onnx")])
    ['x/model.onnx', 'y/model.onnx']
    """
    parts = [model.absolute().parts for model in models]
    depth = 1
    while len({each[-depth:] for each in parts}) < len(parts) and depth < max(map(len, parts)):
        depth += 1
    return [str(Path(*each[-depth:])) for each in parts]


def _exported(path: Path) -> Path:
    if path.suffix == ".keras":
        raise ModelError(
            f"{path} is no exported file; to compare with it: --against {path}; to export it: clf-export {path}"
        )
    if path.suffix not in SUFFIXES:
        raise ModelError(f"{path} is no {' or '.join(SUFFIXES)} file; make some with clf-export")
    if not path.exists():
        raise ModelError(f"cannot read the model {path}: No such file or directory")
    return path


def _runs_on(model: Path, device: str) -> bool:
    return model.suffix != ".tflite" or device in ("auto", "cpu")
