"""What happens before Keras is loaded: finding, splitting and checking the images, and setting up the run folder."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeclf.runtime.errors import DatasetError, ModelError
from edgeclf.runtime.sources.archives import is_archive
from edgeclf.runtime.storage.atomic_write import make_folder, publish_text
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.checkpoint import CHECKPOINT_NAME
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.archives import unpack
from edgeclf.train.data.check import check_dataset
from edgeclf.train.data.corrected import corrected
from edgeclf.train.data.dataset import SPLIT_NAME, Dataset, read_dataset, scan, write_split
from edgeclf.train.data.findings import Severity
from edgeclf.train.data.leakage import drop_leaks, refusal, refusals, without_leaks
from edgeclf.train.data.other_files import describe_kinds
from edgeclf.train.data.splitting import Splitting
from edgeclf.train.teaching import check_teaching

MODEL_NAME = "model.keras"
METRICS_NAME = "metrics.json"
IMAGES_FOLDER = "images"


@dataclass(frozen=True)
class Extras:
    """Options of a run that do not affect the training itself.

    embed_samples: store preprocessed images inside the model, so that `clf-export` can calibrate and verify without the
    data set. allow_leakage: if test images are in another split, too, train without them. drop_leaks: train without copies
    of validation and test images. files: texts to write into the run folder, by file name.
    """

    embed_samples: bool = True
    allow_leakage: bool = False
    drop_leaks: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


def prepare(config: TrainingConfig, folder: Path, extras: Extras = Extras(), *, resume: bool = False) -> Dataset:
    """Find, split and check the images, and write `split.csv` to `folder`; or read that of the run to resume.

    Raises DatasetError, ModelError or OutputError: these mistakes need no Keras.
    """
    if resume:
        dataset = _resume(folder, config.splitting.folds if config.splitting else 0)
        _announce(config.data, dataset)
        # Only split.csv says how the images were split.
        return check_teaching(replace(config.teaching, takes_split=False), dataset) if config.teaching else dataset
    dataset = _find(config, folder, extras)
    _announce(config.data, dataset)
    make_folder(folder)
    for name, text in extras.files.items():
        publish_text(folder / name, text)
    for number, fold in enumerate(dataset.folds, start=1):
        make_folder(fold_folder(folder, number))
        write_split(fold, fold_folder(folder, number) / SPLIT_NAME)
    write_split(dataset, folder / SPLIT_NAME)
    if any(dataset.left_out.values()):  # for --resume, as split.csv lists only the images that are used
        publish_text(folder / METRICS_NAME, json.dumps({"left_out": dataset.left_out}))
    return dataset


def fold_folder(folder: Path, number: int) -> Path:
    """Where the training of a fold goes, counted from 1."""
    return folder / f"fold-{number}"


def find_images(config: TrainingConfig, folder: Path) -> Dataset:
    """The images of a training, split. Archives are first unpacked into `folder`, and the images stay there."""
    splitting = config.splitting or Splitting(seed=config.recipe.seed)
    named = {"train": config.data, "val": splitting.val, "test": splitting.test}
    unpacked = {
        split: unpack(path, folder / IMAGES_FOLDER / split) if path and is_archive(path) else path
        for split, path in named.items()
    }
    splitting = replace(splitting, val=unpacked["val"], test=unpacked["test"])
    return scan(unpacked["train"] or config.data, splitting, config.reading)


def _find(config: TrainingConfig, folder: Path, extras: Extras) -> Dataset:
    dataset = find_images(config, folder)
    if config.teaching:
        dataset = check_teaching(config.teaching, dataset)
    if config.corrections:
        dataset = corrected(dataset, config.corrections)
    if extras.drop_leaks:
        dataset = drop_leaks(dataset)
    # With folds, there may be no test split; the first fold has one, and all images are in it.
    findings = check_dataset(dataset if len(dataset.test) else replace(dataset.folds[0], copies=dataset.copies))
    if (leaks := refusals(findings)) and not extras.allow_leakage:
        raise DatasetError(refusal(leaks))
    for kind, count in Counter(finding.kind for finding in findings if finding.severity is not Severity.NOTICE).items():
        note(f"{count:,} x {kind} in {config.data}; for details: clf-check {config.data}")
    return without_leaks(dataset) if leaks else dataset


def _resume(folder: Path, folds: int) -> Dataset:
    if not (folder / CHECKPOINT_NAME).exists() and (folder / MODEL_NAME).exists():
        raise ModelError(f"the training in {folder} is finished; start another one with clf-train DATA")
    dataset = read_dataset(folder / SPLIT_NAME, needs_test=not folds)
    of_folds = tuple(read_dataset(fold_folder(folder, number) / SPLIT_NAME) for number in range(1, folds + 1))
    dataset = replace(dataset, folds=of_folds)
    with suppress(OSError, ValueError, KeyError, TypeError):  # there is none before the end, unless images were left out
        return replace(dataset, left_out=json.loads((folder / METRICS_NAME).read_text("utf-8"))["left_out"])
    return dataset


def _announce(data: Path, dataset: Dataset) -> None:
    counts = ", ".join(f"{name} {len(split):,}" for name, split in dataset.splits().items() if len(split))
    counts += f", in {len(dataset.folds)} folds" if dataset.folds else ""
    others = dataset.others
    skipped = f"; skipped {plural(dataset.skipped, 'other file')}: {describe_kinds(others)}" if others else ""
    note(f"{data}: {plural(len(dataset.classes), 'class')} ({', '.join(dataset.classes)}); images: {counts}{skipped}")
    for sentence in dataset.notes:
        note(sentence)
    if dataset.ungrouped:
        note(f"{plural(dataset.ungrouped, 'image')} without a group of --split-by; each was split on its own")
