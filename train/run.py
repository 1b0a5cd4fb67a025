"""One training run, from labelled images to a run folder with the model, its metrics and its report."""

import csv
import io
import json
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard
from edgeclf.runtime.storage.atomic_write import publish_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.escaping import escape_cell
from edgeclf.runtime.terminal.notebook import table_html
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.version import __version__
from edgeclf.train.checkpoint import CHECKPOINT_NAME
from edgeclf.train.clock import Clock
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.arrays import Arrays, load
from edgeclf.train.data.dataset import Dataset
from edgeclf.train.data.digest import data_digest
from edgeclf.train.data.levels import brightest_of_all
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.near_leaks import near_leak_notes
from edgeclf.train.data.run_files import TEST_ANSWERS_NAME
from edgeclf.train.data.splitting import Splitting
from edgeclf.train.fit import Trained, fit
from edgeclf.train.heatmaps import heatmaps
from edgeclf.train.history import HISTORY_NAME, read_history
from edgeclf.train.keras_file.samples import pick_samples
from edgeclf.train.keras_file.saving import save
from edgeclf.train.lesson import ask_teacher, lesson_facts
from edgeclf.train.networks.architectures import head_of
from edgeclf.train.preparation import METRICS_NAME, MODEL_NAME, Extras, prepare
from edgeclf.train.recipes import Recipe
from edgeclf.train.resolved import made_with
from edgeclf.train.results.evaluation import Evaluation
from edgeclf.train.results.out_of_fold import OutOfFold, write_answers
from edgeclf.train.results.report import ReportData, image_size, write_report
from edgeclf.train.results.table import measured_accuracy
from edgeclf.train.results.unknown import NoveltyTested
from edgeclf.train.tested import Tested, calibrate_and_test, metrics_of, warnings_of
from edgeclf.train.unknown import fit_unknown


@dataclass(frozen=True)
class Run:
    """The result of a training run: the path of the model, and the content of `metrics.json`.

    interrupted, problem: as in Trained. warnings: what speaks against the model, as sentences.
    """

    model: Path
    metrics: dict[str, Any]
    interrupted: bool = False
    problem: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The run folder, with `report.html` in it."""
        return self.model.parent

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self._accuracy()}{self.problem and f'; {self.problem}'})"

    def _repr_html_(self) -> str:
        measured = [("test accuracy", self._accuracy().removeprefix("test accuracy ")), ("epochs", self.metrics["epochs"])]
        rows = [*measured, ("report", self.folder / "report.html")]
        doubts = [("warning", sentence) for sentence in (self.problem, *self.warnings) if sentence]
        return table_html(str(self.folder), [*rows, *doubts])

    def _accuracy(self) -> str:
        return measured_accuracy(self.metrics["test"], "test accuracy")


def train(
    config: TrainingConfig,
    folder: Path,
    extras: Extras = Extras(),  # noqa: B008 (frozen)
    *,
    resume: bool = False,
    dataset: Dataset | None = None,
    out_of_fold: OutOfFold | None = None,
    began: float | None = None,
) -> Run:
    """Train as configured and write `model.keras`, `metrics.json`, `report.html` and the rest to `folder`.

    Images that cannot be read are skipped and listed in `bad_files.csv`. resume: continue the run in `folder`, with the
    images of its `split.csv`. dataset: what `prepare` returned, if it was called before Keras was loaded. out_of_fold: what
    a cross-validation has found; its answers are evaluated in place of the model's, if there are any. began:
    `time.monotonic()` when the command began, if that was earlier: the recipe's time limit is for the whole command.
    Raises DatasetError, ModelError or OutputError.
    """
    started = time.monotonic() if began is None else began
    dataset = dataset or prepare(config, folder, extras, resume=resume)
    with _cache_files(folder) as caches:
        splits = _load_splits(config.data, dataset, config.preprocess, caches)
        for sentence in () if out_of_fold else near_leak_notes(dataset, splits, config.splitting or Splitting()):
            note(sentence)  # the folds have said so already
        _report_bad_files(list(splits.values()), folder / "bad_files.csv")
        has_checkpoint = resume and (folder / CHECKPOINT_NAME).exists()
        lesson = ask_teacher(config, splits["train"], dataset, caches[-1])
        clock = Clock(config.recipe.time_s, started, evaluated=len(splits["val"]) + len(splits["test"]))
        trained = fit(config.recipe, len(dataset.classes), lesson, splits["val"], folder, resume=has_checkpoint, clock=clock)
        note("evaluating ...")
        tested = calibrate_and_test(trained.network, splits["val"], splits["test"], dataset.classes, out_of_fold=out_of_fold)
        unknown = fit_unknown(trained.network, splits["train"].images, tested.embeddings, trained.learned)
        metrics = metrics_of(trained, tested, started) | _more_metrics(config, dataset, out_of_fold, unknown)
        facts = _facts(config, dataset, metrics)
        card = ModelCard(dataset.classes, config.preprocess, head_of(trained.network), facts)
        card = replace(card, novelty=unknown.novelty if unknown else None)
        samples = {"calibration": pick_samples(splits["train"]), "verification": pick_samples(splits["val"])}
        save(trained.network, card, samples if extras.embed_samples else {}, folder / MODEL_NAME)
        _write_measured(folder, metrics, tested.test, None if out_of_fold else splits["test"])
        report = _report(card, trained, tested, splits, dataset.left_out)
        more = _training_facts(config.recipe, metrics, out_of_fold)
        report = replace(report, facts={**report.facts, **more}, novelties=unknown.test if unknown else None)
        history = read_history(folder / HISTORY_NAME)
        warnings = warnings_of(config.recipe, tested, splits["train"], metrics["test"])
        write_report(folder, replace(report, history=history, samples=samples["calibration"], warnings=warnings))
        if not (trained.interrupted or trained.problem):
            (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
        return Run(folder / MODEL_NAME, metrics, trained.interrupted, trained.problem, warnings)


@contextmanager
def _cache_files(folder: Path) -> Iterator[list[Path]]:
    """Paths for memory-mapped images, one per split and one for the views of a lesson. The files are removed afterwards."""
    caches = [folder / f".{name}.u8" for name in (*SPLITS, "views")]
    try:
        yield caches
    finally:
        for cache in caches:
            with suppress(OSError):  # Windows cannot remove a file that is still mapped
                cache.unlink(missing_ok=True)


def _load_splits(data: Path, dataset: Dataset, preprocess: Preprocess, caches: list[Path]) -> dict[str, Arrays]:
    splits = {
        name: load(split, preprocess, name, cache)
        for (name, split), cache in zip(dataset.splits().items(), caches, strict=False)
    }
    for label, name in enumerate(dataset.classes):
        if not (splits["train"].labels == label).any():
            raise DatasetError(
                f"no image of class {name!r} in the training split can be read; run clf-check to see what is wrong with them"
            )
    if (level := brightest_of_all(splits["train"].images)) is not None:
        note(f"no training image is brighter than level {level} of 255; for the reason: clf-check {data}")
    return splits


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
    note(f"skipped {plural(len(failures), 'unreadable image')}; for the reasons, see {path}")


def _more_metrics(
    config: TrainingConfig, dataset: Dataset, out_of_fold: OutOfFold | None, unknown: NoveltyTested | None
) -> dict[str, Any]:
    """What `metrics.json` says about the images and how they were used."""
    found: dict[str, Any] = {"left_out": dataset.left_out, "data_digest": data_digest(dataset.splits())}
    found |= {"teaching": lesson_facts(config.teaching, config.recipe, dataset)} if config.teaching else {}
    found |= {"unknown": unknown.to_json()} if unknown else {}
    return found | ({"folds": out_of_fold.to_json()} if out_of_fold else {})


def _facts(config: TrainingConfig, dataset: Dataset, metrics: dict[str, Any]) -> dict[str, Any]:
    """What the model card says about the training."""
    return {
        "data": config.data.resolve().name,
        "images": {name: len(split) for name, split in dataset.splits().items()},
        "test_accuracy": metrics["test"]["accuracy"],
        "network": asdict(config.recipe.network),  # type: ignore[call-overload]
        "epochs": metrics["epochs"],
        "temperature": metrics["temperature"],
        "seed": config.recipe.seed,
        "edgeclf": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }


def _write_measured(folder: Path, metrics: Mapping[str, Any], found: Evaluation, images: Arrays | None) -> None:
    """The metrics, and what was answered to the test images; None if those of the folds say that already."""
    publish_text(folder / METRICS_NAME, json.dumps(metrics, indent=1) + "\n")
    if images is not None and found.has_probabilities:
        write_answers(folder / TEST_ANSWERS_NAME, images, found.probabilities, found.classes)


def _training_facts(recipe: Recipe, metrics: Mapping[str, Any], out_of_fold: OutOfFold | None) -> dict[str, Any]:
    """How the network was trained, for the report."""
    changes = {name: value for name, value in asdict(recipe.augmentation).items() if value and name != "fill"}
    validated = {"cross-validation": out_of_fold.sentence()} if out_of_fold else {}
    taught = {name.replace("_", " "): value for name, value in metrics.get("teaching", {}).items()}
    return (
        taught
        | {
            "optimizer": f"{recipe.optimizer}, {recipe.schedule}",
            "learning rate": recipe.learning_rate,
            "batch": recipe.batch,
            "fine-tuned blocks": recipe.fine_tune or None,
            "augmentation": changes or None,
            "data digest": metrics["data_digest"],
            "duration": f"{metrics['seconds']:,.0f} s",
            "command": made_with()["command"],
        }
        | validated
    )


def _report(
    card: ModelCard, trained: Trained, tested: Tested, splits: dict[str, Arrays], left_out: Mapping[str, int]
) -> ReportData:
    facts = {
        "parameters": f"{trained.network.count_params():,}",
        "image size": image_size(card.preprocess),
        "resize": f"{card.preprocess.resize}, {card.preprocess.fit}",
    }
    if any(left_out.values()):
        facts["images left out, as they are trained on"] = ", ".join(f"{split} {n:,}" for split, n in left_out.items() if n)
    data = ReportData(
        title=card.training["data"],
        evaluation=tested.test,
        images=splits["test"],
        facts=facts | {name: value for name, value in card.training.items() if name not in ("data", "images")},
        counts={name: dict(zip(card.classes, _count(arrays, card), strict=True)) for name, arrays in splits.items()},
        failures=[failure for arrays in splits.values() for failure in arrays.failures],
        best_epoch=trained.best_epoch,
        uncalibrated=tested.uncalibrated,
        temperature=tested.temperature,
        origin=tested.origin,
    )
    is_its_own = tested.uncalibrated is not None  # answers of folds come from other networks
    return replace(data, heatmaps=heatmaps(trained.network, data, card.preprocess)) if is_its_own else data


def _count(arrays: Arrays, card: ModelCard) -> list[int]:
    return [int(count) for count in np.bincount(arrays.labels, minlength=len(card.classes))]
