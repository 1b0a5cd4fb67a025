"""Cross-validation: one training for each fold, whose images it has not seen, and then the final one on all images.

The final training keeps a small validation split, as every fold does. It stops the training at the epoch that suits all
images, and the confidence is calibrated on it. The mean of the folds' best epochs could do neither: the schedule of the
learning rate ends with the last epoch, and the temperature needs images that were not trained on.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.checkpoint import CHECKPOINT_NAME
from edgeclf.train.clock import Clock
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.arrays import load
from edgeclf.train.data.dataset import Dataset, as_split
from edgeclf.train.data.run_files import OUT_OF_FOLD_NAME
from edgeclf.train.keras_file.saving import open_keras
from edgeclf.train.preparation import METRICS_NAME, MODEL_NAME, Extras, fold_folder
from edgeclf.train.results.out_of_fold import OutOfFold, join_answers, write_answers
from edgeclf.train.run import Run, train


def cross_validate(
    config: TrainingConfig,
    folder: Path,
    extras: Extras,
    *,
    dataset: Dataset,
    resume: bool = False,
    began: float | None = None,
) -> Run:
    """Train once for each fold of the dataset, and then on all its images. Writes `out_of_fold.csv` beside the rest.

    Without a test split of its own, the final model is measured by what the folds' models answer. A time limit is for all
    trainings together. resume: continue the cross-validation in `folder`. began: as in `train`. Raises KeyboardInterrupt
    if a fold was stopped.
    """
    count = len(dataset.folds)
    if config.recipe.time_s:
        left_s = Clock(config.recipe.time_s, began).left_s()
        config = replace(config, recipe=replace(config.recipe, time_s=left_s / (count + 1)))
    accuracies = tuple(_train_fold(config, folder, dataset, number) for number in range(1, count + 1))
    files = [fold_folder(folder, number) / OUT_OF_FOLD_NAME for number in range(1, count + 1)]
    answers = join_answers(files, folder / OUT_OF_FOLD_NAME)
    found = OutOfFold(accuracies)
    if not len(dataset.test):
        found = OutOfFold(accuracies, answers)
        tested = [pair for fold in dataset.folds for pair in zip(fold.test.paths, fold.test.labels, strict=True)]
        dataset = replace(dataset, test=as_split([pair for pair in tested if os.path.abspath(pair[0]) in answers]))
    note(found.sentence())
    note(f"final training: {plural(len(dataset.train), 'image')}, and {len(dataset.val):,} for validation")
    return train(config, folder, extras, resume=resume, dataset=dataset, out_of_fold=found)


def _train_fold(config: TrainingConfig, folder: Path, dataset: Dataset, number: int) -> float:
    """The accuracy on a fold. What a run before has done already is not done again."""
    place, fold = fold_folder(folder, number), dataset.folds[number - 1]
    if not (place / OUT_OF_FOLD_NAME).exists():
        trained = plural(len(fold.train), "image")
        note(f"fold {number} of {len(dataset.folds)}: trained on {trained}, tested on {len(fold.test):,} others")
        if (place / CHECKPOINT_NAME).exists() or not (place / MODEL_NAME).exists():
            run = train(config, place, Extras(embed_samples=False), resume=True, dataset=fold)
            if run.interrupted:
                note(f"go on with clf-train --resume {folder}")
                raise KeyboardInterrupt
        model = open_keras(place / MODEL_NAME)
        images = load(fold.test, model.card.preprocess, f"fold {number}")
        scores = model.probabilities(images.images)
        write_answers(place / OUT_OF_FOLD_NAME, images, scores, fold.classes, number)
    return float(json.loads((place / METRICS_NAME).read_text("utf-8"))["test"]["accuracy"])
