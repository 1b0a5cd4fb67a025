"""One training run, from labelled images to a run folder with everything that came of it."""

import csv
import io
import json
import platform
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.runtime.errors import DatasetError, ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.sources.archives import is_archive
from edgeclf.runtime.storage.atomic_write import make_folder, publish_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape_cell
from edgeclf.runtime.version import __version__
from edgeclf.train.checkpoint import CHECKPOINT_NAME
from edgeclf.train.data.archives import unpack
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.check import check_dataset, refusal, refusals
from edgeclf.train.data.dataset import SPLIT_NAME, SPLITS, Dataset, read_dataset, scan, write_split
from edgeclf.train.data.findings import Severity
from edgeclf.train.data.splitting import Splitting
from edgeclf.train.fit import Trained, fit
from edgeclf.train.history import HISTORY_NAME, read_history
from edgeclf.train.keras_file.samples import pick_samples
from edgeclf.train.keras_file.saving import save
from edgeclf.train.networks.architectures import head_of
from edgeclf.train.recipes import Recipe
from edgeclf.train.results.evaluation import (
    Evaluation,
    best_threshold,
    count_probabilities,
    evaluate,
    expected_calibration_error,
    probabilities,
)
from edgeclf.train.results.report import ReportData, write_report
from edgeclf.train.results.temperature import fit_temperature, fold_temperature, scale

MODEL_NAME = "model.keras"
IMAGES_FOLDER = "images"


@dataclass(frozen=True)
class Run:
    """What a training run leaves behind: the model, and what `metrics.json` says.

    interrupted, problem: as in Trained.
    """

    model: Path
    metrics: dict[str, Any]
    interrupted: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Extras:
    """What a run does beside training. samples: put preprocessed images inside the model, so that `clf-export` can
    calibrate and verify without the data set. leakage: train although test images are among the others. notes: texts
    to keep in the run folder, by file name.
    """

    samples: bool = True
    leakage: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


def train(
    data: Path,
    folder: Path,
    preprocess: Preprocess,
    recipe: Recipe,
    splitting: Splitting | None = None,
    extras: Extras = Extras(),
    *,
    resume: bool = False,
) -> Run:
    """Train on the images in `data` and write `model.keras`, `metrics.json`, `report.html` and the rest to `folder`.

    Images that cannot be read are skipped and listed in `bad_files.csv`. resume: go on with the run that was begun in
    `folder`, with the images of its `split.csv`. Raises DatasetError, ModelError or OutputError.
    """
    started = time.monotonic()
    dataset = _resumed(folder) if resume else _begun(data, folder, splitting or Splitting(seed=recipe.seed), extras)
    _announce(data, dataset)
    caches = [folder / f".{name}.u8" for name in SPLITS]
    try:
        splits = _load_splits(dataset, preprocess, caches)
        _report_bad_files(list(splits.values()), folder / "bad_files.csv")
        begun = resume and (folder / CHECKPOINT_NAME).exists()
        trained = fit(recipe, len(dataset.classes), splits["train"], splits["val"], folder, resume=begun)
        note("evaluating ...")
        tested = _calibrate_and_test(trained.network, splits["val"], splits["test"], dataset.classes)
        metrics = _metrics(trained, tested, started)
        card = ModelCard(dataset.classes, preprocess, head_of(trained.network), _facts(data, recipe, dataset, metrics))
        samples = {"calibration": pick_samples(splits["train"]), "verification": pick_samples(splits["val"])}
        save(trained.network, card, samples if extras.samples else {}, folder / MODEL_NAME)
        publish_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
        write_report(folder, _report(card, trained, tested, splits, samples["calibration"], folder))
        if not (trained.interrupted or trained.problem):
            (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
        return Run(folder / MODEL_NAME, metrics, trained.interrupted, trained.problem)
    finally:
        for cache in caches:
            with suppress(OSError):  # Windows keeps a file that is still mapped
                cache.unlink(missing_ok=True)


def find_images(data: Path, folder: Path, splitting: Splitting) -> Dataset:
    """The images in `data`, split; archives are unpacked into `folder` first, and stay there."""
    named = {"train": data, "val": splitting.val, "test": splitting.test}
    homes = {
        split: unpack(path, folder / IMAGES_FOLDER / split) if path and is_archive(path) else path
        for split, path in named.items()
    }
    return scan(homes["train"] or data, replace(splitting, val=homes["val"], test=homes["test"]))


@dataclass(frozen=True)
class _Tested:
    """The answers of the calibrated network to both splits; raw: to the test split before the temperature was folded in."""

    val: Evaluation
    test: Evaluation
    raw: NDArray[np.float32]
    temperature: float


def _begun(data: Path, folder: Path, splitting: Splitting, extras: Extras) -> Dataset:
    dataset = find_images(data, folder, splitting)
    findings = check_dataset(dataset)
    if (leaks := refusals(findings)) and not extras.leakage:
        raise DatasetError(refusal(leaks))
    for kind, count in Counter(finding.kind for finding in findings if finding.severity is not Severity.NOTICE).items():
        note(f"{count:,} x {kind} in {data}; clf-check {data} names them")
    make_folder(folder)
    for name, text in extras.notes.items():
        publish_text(folder / name, text)
    write_split(dataset, folder / SPLIT_NAME)
    return dataset


def _resumed(folder: Path) -> Dataset:
    if not (folder / CHECKPOINT_NAME).exists() and (folder / MODEL_NAME).exists():
        raise ModelError(f"the training in {folder} is finished; start another one with clf-train DATA")
    return read_dataset(folder / SPLIT_NAME)


def _calibrate_and_test(network: keras.Model, val: Arrays, test: Arrays, classes: tuple[str, ...]) -> _Tested:
    """Fold the temperature that fits the validation split into the network, then answer the test split with it."""
    answers = probabilities(network, val.images)
    temperature = fit_temperature(answers, val.labels)
    fold_temperature(network, temperature)
    answers = scale(answers, temperature)
    threshold = best_threshold(val.labels, answers[:, 1]) if len(classes) == 2 else None
    tested = evaluate(network, test, classes, threshold)
    raw = scale(tested.probabilities, 1 / temperature)
    return _Tested(count_probabilities(answers, val.labels, classes, threshold), tested, raw, temperature)


def _load_splits(dataset: Dataset, preprocess: Preprocess, caches: list[Path]) -> dict[str, Arrays]:
    splits = {
        name: load(split, preprocess, name, cache)
        for (name, split), cache in zip(dataset.splits().items(), caches, strict=True)
    }
    for label, name in enumerate(dataset.classes):
        if not (splits["train"].labels == label).any():
            raise DatasetError(
                f"no image of class {name!r} in the training split can be read; see what they are with: clf-check"
            )
    return splits


def _announce(data: Path, dataset: Dataset) -> None:
    counts = ", ".join(f"{name} {len(split):,}" for name, split in dataset.splits().items())
    skipped = f"; {dataset.skipped:,} other files skipped" if dataset.skipped else ""
    note(f"{data}: {len(dataset.classes)} classes ({', '.join(dataset.classes)}); images: {counts}{skipped}")
    if dataset.ungrouped:
        note(f"{dataset.ungrouped:,} images fit no group of --split-by; each of them was split for itself")


def _report_bad_files(splits: list[Arrays], path: Path) -> None:
    failures = [failure for split in splits for failure in split.failures]
    if not failures:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "error", "detail"))
    writer.writerows((escape_cell(name), failure.reason, escape_cell(failure.detail)) for name, failure in failures)
    publish_text(path, text.getvalue())
    note(f"{len(failures):,} images cannot be read and are skipped; {path} says why")


def _metrics(trained: Trained, tested: _Tested, started: float) -> dict[str, Any]:
    raw_error = expected_calibration_error(tested.test.labels, tested.raw)
    return {
        "test": tested.test.to_json() | {"expected_calibration_error_before_scaling": round(raw_error, 6)},
        "validation": tested.val.to_json(),
        "temperature": round(tested.temperature, 6),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "parameters": trained.network.count_params(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _facts(data: Path, recipe: Recipe, dataset: Dataset, metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": data.resolve().name,
        "images": {name: len(split) for name, split in dataset.splits().items()},
        "test_accuracy": metrics["test"]["accuracy"],
        "network": asdict(recipe.network),  # type: ignore[call-overload]
        "epochs": metrics["epochs"],
        "temperature": metrics["temperature"],
        "seed": recipe.seed,
        "edgeclf": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }


def _report(
    card: ModelCard, trained: Trained, tested: _Tested, splits: dict[str, Arrays], samples: Arrays, folder: Path
) -> ReportData:
    height, width, channels = card.preprocess.shape
    facts = {
        "parameters": f"{trained.network.count_params():,}",
        "image size": f"{height} x {width}, {'grey' if channels == 1 else 'RGB'}",
        "resize": f"{card.preprocess.resize}, {card.preprocess.fit}",
    }
    return ReportData(
        title=card.training["data"],
        evaluation=tested.test,
        images=splits["test"],
        facts=facts | {name: value for name, value in card.training.items() if name not in ("data", "images")},
        counts={name: dict(zip(card.classes, _count(arrays, card), strict=True)) for name, arrays in splits.items()},
        failures=[failure for arrays in splits.values() for failure in arrays.failures],
        history=read_history(folder / HISTORY_NAME),
        best_epoch=trained.best_epoch,
        uncalibrated=tested.raw,
        temperature=tested.temperature,
        samples=samples,
    )


def _count(arrays: Arrays, card: ModelCard) -> list[int]:
    return [int(count) for count in np.bincount(arrays.labels, minlength=len(card.classes))]
