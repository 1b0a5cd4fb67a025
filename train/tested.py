"""What a trained network reaches: it is calibrated on the validation split, then measured on the test split."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeclf.train.data.arrays import Arrays, batches
from edgeclf.train.fit import Trained
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.recipes import Recipe
from edgeclf.train.results.doubts import Calibration, calibration_doubts, doubts, training_cures
from edgeclf.train.results.evaluation import (
    Evaluation,
    best_threshold,
    count_probabilities,
    expected_calibration_error,
    in_columns,
    negative_log_likelihood,
    probabilities,
)
from edgeclf.train.results.out_of_fold import ORIGIN, OutOfFold
from edgeclf.train.results.report import ReportData
from edgeclf.train.results.temperature import fit_temperature, fold_temperature, scale

_BATCH = 8
"""On two cores, 32 images of 256 x 256 pixels at a time took 1.3 times as long."""


@dataclass(frozen=True)
class Tested:
    """What the calibrated network predicts for the validation and the test split.

    uncalibrated: the probabilities for the test split before temperature scaling; None if they are those of folds.
    embeddings: what the last dense layer sees of the splits `val` and `test`, float32 `[N, D]`; of those that were run, and
    none if the network does not end in one.
    """

    val: Evaluation
    test: Evaluation
    uncalibrated: NDArray[np.float32] | None
    temperature: float
    origin: str = ReportData.origin
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def calibrate_and_test(
    network: keras.Model, val: Arrays, test: Arrays, classes: tuple[str, ...], *, out_of_fold: OutOfFold | None = None
) -> Tested:
    """Fit the temperature on the validation split, fold it into the network, then evaluate the test split."""
    embeddings: dict[str, NDArray[np.float32]] = {}
    validated = _probabilities(network, val, "val", embeddings)
    temperature = fit_temperature(validated, val.labels)
    fold_temperature(network, temperature)
    validated = scale(validated, temperature)
    threshold = best_threshold(val.labels, validated[:, 1]) if len(classes) == 2 else None
    counted = count_probabilities(validated, val.labels, classes, threshold)
    if out_of_fold and out_of_fold.answers:  # each is calibrated by its own temperature
        tested = count_probabilities(out_of_fold.of(test), test.labels, classes, threshold)
        return Tested(counted, tested, None, temperature, origin=ORIGIN, embeddings=embeddings)
    tested = count_probabilities(_probabilities(network, test, "test", embeddings), test.labels, classes, threshold)
    uncalibrated = scale(tested.probabilities, 1 / temperature)
    return Tested(counted, tested, uncalibrated, temperature, embeddings=embeddings)


def metrics_of(trained: Trained, tested: Tested, started: float) -> dict[str, Any]:
    """The content of `metrics.json`. started: `time.monotonic()` at the start of the run."""
    before = {}
    if tested.uncalibrated is not None:
        error = expected_calibration_error(tested.test.labels, tested.uncalibrated)
        before = {"expected_calibration_error_before_scaling": round(error, 6)}
    return {
        "test": tested.test.to_json() | before,
        "validation": tested.val.to_json(),
        "temperature": round(tested.temperature, 6),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "parameters": trained.network.count_params(),
        "seconds": round(time.monotonic() - started, 1),
    }


def warnings_of(recipe: Recipe, tested: Tested, train: Arrays, metrics: dict[str, Any]) -> tuple[str, ...]:
    """What speaks against the model, as sentences."""
    is_default = isinstance(recipe.network, Backbone) and recipe.network == Backbone()
    images = np.bincount(train.labels, minlength=len(tested.test.classes)).tolist()
    found = doubts(metrics, training_cures(images, is_balanced=recipe.balance, is_default=is_default))
    if tested.test.has_probabilities and tested.uncalibrated is not None:
        labels = tested.test.labels
        before, after = (
            Calibration(expected_calibration_error(labels, scores), negative_log_likelihood(labels, scores))
            for scores in (tested.uncalibrated, tested.test.probabilities)
        )
        found += calibration_doubts(before, after)
    return tuple(found)


def _probabilities(
    network: keras.Model, images: Arrays, split: str, embeddings: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Float32 `[N, classes]`. The same run adds what the last dense layer sees to `embeddings`."""
    head = network.layers[-1]
    if not isinstance(head, keras.layers.Dense) or len(head.input.shape) != 2:
        return probabilities(network, images.images)
    both = keras.Model(network.input, [head.output, head.input])
    runs = [both.predict_on_batch(batch.astype(np.float32)) for batch in batches(images.images, _BATCH)]
    answers, embeddings[split] = (np.concatenate(parts).astype(np.float32, copy=False) for parts in zip(*runs, strict=True))
    return in_columns(answers)
