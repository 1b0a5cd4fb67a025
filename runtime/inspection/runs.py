"""The training runs in a folder, side by side: what `clf-inspect runs/` shows."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import ModelError
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.runtime.terminal.tables import Column

_MODEL, _METRICS, _CHECKPOINT, _OPTIONS = "model.keras", "metrics.json", "checkpoint.npz", "options.json"
_MODEL_SUFFIXES = (".keras", ".onnx", ".tflite")
COLUMNS = (
    Column("run", "left"),
    Column("network", "left", spare=1),
    Column("classes", spare=4),
    Column("images", spare=3),
    Column("accuracy"),
    Column("95 % interval", spare=2),
    Column("date", "left", spare=5),
    Column("files", "left", spare=6),
)


@dataclass(frozen=True)
class RunInfo:
    """name: of the run's folder. images: those that were trained on. accuracy, interval: on the test images, 0 to 1.

    date: of the last change of the model, `2026-11-30`. files: its models. What a run does not say is None or "".
    """

    name: str
    network: str = ""
    classes: int | None = None
    images: int | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    date: str = ""
    files: tuple[str, ...] = ()


def is_run(folder: Path) -> bool:
    """Whether `clf-train` has written this folder; the training may be unfinished."""
    return (folder / _OPTIONS).is_file() and any((folder / name).is_file() for name in (_MODEL, _CHECKPOINT))


def find_runs(folder: Path) -> list[RunInfo]:
    """The runs directly below a folder, by name; none if the folder is a run itself, or no folder."""
    if not folder.is_dir() or is_run(folder):
        return []
    return [_read_run(one) for one in sorted(folder.iterdir()) if is_run(one)]


def run_row(run: RunInfo) -> tuple[str, ...]:
    """The cells of one run below COLUMNS. What is unknown is a dash."""
    low, high = run.interval or (None, None)
    return (
        run.name,
        run.network or "-",
        f"{run.classes:,}" if run.classes is not None else "-",
        f"{run.images:,}" if run.images is not None else "-",
        f"{run.accuracy:.1%}" if run.accuracy is not None else "-",
        f"{low:.1%} to {high:.1%}" if low is not None else "-",
        run.date or "-",
        ", ".join(run.files) or "unfinished",
    )


def _read_run(folder: Path) -> RunInfo:
    files = tuple(sorted(path.name for path in folder.iterdir() if path.suffix in _MODEL_SUFFIXES))
    model = folder / _MODEL
    if not model.is_file():
        return RunInfo(folder.name, _network({}, _read_json(folder / _OPTIONS)), files=files)
    facts, classes = _read_card(model)
    accuracy, interval = _accuracy(_read_json(folder / _METRICS))
    return RunInfo(
        name=folder.name,
        network=_network(facts, _read_json(folder / _OPTIONS)),
        classes=classes,
        images=_trained_on(facts),
        accuracy=accuracy,
        interval=interval,
        date=time.strftime("%Y-%m-%d", time.localtime(model.stat().st_mtime)),
        files=files,
    )


def _read_card(model: Path) -> tuple[dict[str, Any], int | None]:
    """What the model's card says about its training, and the number of classes."""
    try:
        card = ModelCard.from_json(read_zip_card(model) or "")
    except ModelError:
        return {}, None
    return card.training, len(card.classes)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8", "surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _accuracy(metrics: dict[str, Any]) -> tuple[float | None, tuple[float, float] | None]:
    try:
        low, high = map(float, metrics["test"]["accuracy_95_interval"])
        return float(metrics["test"]["accuracy"]), (low, high)
    except (KeyError, TypeError, ValueError):
        return None, None


def _trained_on(facts: dict[str, Any]) -> int | None:
    images = facts.get("images")
    count = images.get("train") if isinstance(images, dict) else None
    return count if isinstance(count, int) else None


def _network(facts: dict[str, Any], options: dict[str, Any]) -> str:
    """The name of a pretrained network, or the recipe of one that was trained from scratch."""
    network = facts.get("network")
    named = network.get("name") if isinstance(network, dict) else None
    return str(named or options.get("recipe") or options.get("model") or "")
