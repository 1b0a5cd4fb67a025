"""One training run, from a folder of pictures to a run folder with everything that came of it."""

import csv
import io
import json
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edgeclf.runtime import __version__
from edgeclf.runtime.console import note
from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.escaping import escape_cell
from edgeclf.runtime.frames.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.publishing import make_folder, publish_text
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import PARTS, SPLIT_NAME, Dataset, scan, write_split
from edgeclf.train.fit import Recipe, Trained, fit
from edgeclf.train.networks.architectures import head_for
from edgeclf.train.results.evaluation import Evaluation, evaluate
from edgeclf.train.results.saving import pick_samples, save

MODEL_NAME = "model.keras"


@dataclass(frozen=True)
class Run:
    """What a training run leaves behind: the model, and what `metrics.json` says."""

    model: Path
    metrics: dict[str, Any]


def train(data: Path, folder: Path, preprocess: Preprocess, recipe: Recipe, *, embed_samples: bool = True) -> Run:
    """Train on the pictures in `data` and write `model.keras`, `metrics.json`, `history.csv`, `split.csv` to `folder`.

    Pictures that cannot be read are skipped and listed in `bad_files.csv`. embed_samples: put preprocessed pictures inside
    the model, so that `clf-export` can calibrate and verify without the data set. Raises DatasetError or OutputError.
    """
    started = time.monotonic()
    dataset = scan(data, recipe.seed)
    make_folder(folder)
    write_split(dataset, folder / SPLIT_NAME)
    _announce(data, dataset)
    caches = [folder / f".{name}.u8" for name in PARTS]
    try:
        train_set, val_set, test_set = _load_parts(dataset, preprocess, caches)
        _report_bad_files([train_set, val_set, test_set], folder / "bad_files.csv")
        trained = fit(recipe, len(dataset.classes), train_set, val_set, folder / "history.csv")
        test = evaluate(trained.network, test_set, dataset.classes)
        metrics = _metrics(trained, evaluate(trained.network, val_set, dataset.classes), test, started)
        card = ModelCard(dataset.classes, preprocess, head_for(len(dataset.classes)), _facts(data, recipe, dataset, test))
        samples = {"calibration": pick_samples(train_set), "verification": pick_samples(val_set)} if embed_samples else {}
        save(trained.network, card, samples, folder / MODEL_NAME)
        publish_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    finally:
        for cache in caches:
            with suppress(OSError):  # Windows keeps a file that is still mapped
                cache.unlink(missing_ok=True)
    return Run(folder / MODEL_NAME, metrics)


def _load_parts(dataset: Dataset, preprocess: Preprocess, caches: list[Path]) -> tuple[Arrays, Arrays, Arrays]:
    train_set, val_set, test_set = (
        load(part, preprocess, name, cache) for (name, part), cache in zip(dataset.parts().items(), caches, strict=True)
    )
    for label, name in enumerate(dataset.classes):
        if not (train_set.labels == label).any():
            raise DatasetError(
                f"no picture of class {name!r} in the training part can be read; see what they are with: file"
            )
    return train_set, val_set, test_set


def _announce(data: Path, dataset: Dataset) -> None:
    counts = ", ".join(f"{name} {len(part):,}" for name, part in dataset.parts().items())
    skipped = f"; {dataset.skipped:,} other files skipped" if dataset.skipped else ""
    note(f"{data}: {len(dataset.classes)} classes ({', '.join(dataset.classes)}); pictures: {counts}{skipped}")


def _report_bad_files(parts: list[Arrays], path: Path) -> None:
    failures = [failure for part in parts for failure in part.failures]
    if not failures:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "error", "detail"))
    writer.writerows((escape_cell(name), failure.reason, escape_cell(failure.detail)) for name, failure in failures)
    publish_text(path, text.getvalue())
    note(f"{len(failures):,} pictures cannot be read and are skipped; {path} says why")


def _metrics(trained: Trained, val: Evaluation, test: Evaluation, started: float) -> dict[str, Any]:
    return {
        "test": test.to_json(),
        "validation": val.to_json(),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "parameters": trained.network.count_params(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _facts(data: Path, recipe: Recipe, dataset: Dataset, test: Evaluation) -> dict[str, Any]:
    return {
        "data": data.resolve().name,
        "pictures": {name: len(part) for name, part in dataset.parts().items()},
        "test_accuracy": round(test.accuracy, 6),
        "seed": recipe.seed,
        "edgeclf": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }
