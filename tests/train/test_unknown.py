"""Images that are unlike all that was learned: fitted by the training, kept in the model, measured by `evaluate`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import Result

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.card import ModelCard, read_zip_card
from edgeclf.train.config import TrainingConfig
from edgeclf.train.networks.architectures import FlatNet
from edgeclf.train.recipes import Recipe
from edgeclf.train.results.separation import auroc, missed_share, separation
from edgeclf.train.results.unknown import count_axes, fit_novelty
from edgeclf.train.run import Run, train

Invoke = Callable[..., Result]
RECIPE = Recipe(FlatNet((2,), dense=(64,)), epochs=1, batch=16)


def embeddings(count: int, seed: int, numbers: int = 64) -> Any:
    """Float32 `[count, numbers]` in five dimensions, and a little beside them."""
    rng, mixed = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(5, numbers))
    return (rng.normal(size=(count, 5)) @ mixed + 5 * mixed[0] + rng.normal(0, 0.1, (count, numbers))).astype(np.float32)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright and dark noise, for training, validation and test."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 10), ("test", 10)):
        for label, level in (("bright", 128), ("dark", 0)):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = (rng.integers(0, 128, (40, 40, 3)) + level).astype(np.uint8)
                cv2.imwrite(str(root / split / label / f"{number}.png"), pixels)
    return root


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TrainingConfig(photos, Preprocess((40, 40)), RECIPE), tmp_path_factory.mktemp("run"))


def test_at_most_one_percent_of_the_validation_images_is_unknown_and_foreign_ones_are() -> None:
    val, foreign = embeddings(200, 2), np.random.default_rng(3).normal(size=(100, 64)).astype(np.float32)
    novelty = fit_novelty(embeddings(300, 1), val, 1_000_000)

    assert novelty is not None
    assert (novelty.of(val) > 1).mean() <= 0.01
    assert (novelty.of(embeddings(500, 4)) > 1).mean() <= 0.02
    assert (novelty.of(foreign) > 1).all()
    assert (novelty.of(val) > novelty.highest(0.2)).mean() <= 0.2


def test_few_images_and_equal_ones_have_no_novelty() -> None:
    assert fit_novelty(embeddings(10, 1), embeddings(10, 2), 1_000_000) is None
    assert fit_novelty(np.ones((40, 64), np.float32), np.ones((9, 64), np.float32), 1_000_000) is None


@pytest.mark.parametrize(
    ("images", "numbers", "weights", "axes"), [(300, 1280, 3_400_000, 16), (30, 1280, 3_400_000, 3), (300, 128, 98_000, 4)]
)
def test_the_axes_fit_into_one_percent_of_an_int8_file(images: int, numbers: int, weights: int, axes: int) -> None:
    assert count_axes(images, numbers, weights) == axes
    assert (axes + 1) * numbers * 4 / 3 <= 0.01 * weights


def test_the_model_keeps_what_the_training_found(run: Run) -> None:
    card = ModelCard.from_json(read_zip_card(run.model) or "")

    assert card.novelty is not None
    assert card.novelty.vectors.shape == (1 + 4, 64)
    assert 0 <= run.metrics["unknown"]["test_share"] <= 0.2
    assert (run.folder / "unknown.png").is_file()
    assert "called unknown" in (run.folder / "report.html").read_text()


def test_evaluate_measures_against_a_folder_of_foreign_images(
    run: Run, photos: Path, clf_train: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "foreign").mkdir()
    for number in range(12):
        stripes = np.zeros((40, 40, 3), np.uint8)
        stripes[:, number : number + 9] = (0, 0, 255)
        cv2.imwrite(str(tmp_path / "foreign" / f"{number}.png"), stripes)

    done = clf_train("evaluate", run.model, photos, "--against-unknown", tmp_path / "foreign", "--json")

    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["against_unknown"]
    low, high = found["auroc_95_interval"]
    assert (found["images"], found["auroc"]) == (12, pytest.approx((low + high) / 2, abs=0.2))
    assert low <= found["auroc"] <= high
    assert "FPR at 95 % TPR" in done.stderr


@pytest.mark.parametrize(
    ("folder", "problem"),
    [("train/dark", "20 of the images that the model knows"), ("gone", "not a folder")],
    ids=["training-images", "missing"],
)
def test_evaluate_refuses_a_folder_that_is_not_foreign(
    folder: str, problem: str, run: Run, photos: Path, clf_train: Invoke
) -> None:
    done = clf_train("evaluate", run.model, photos, "--against-unknown", photos / folder)

    assert done.exit_code == 2
    assert problem in " ".join(done.stderr.split())


def test_a_model_without_novelty_cannot_be_measured_against_foreign_images(
    run_folder: Path, photos: Path, image_folder: Path, clf_train: Invoke
) -> None:
    done = clf_train("evaluate", run_folder / "model.onnx", image_folder, "--against-unknown", photos)

    assert done.exit_code == 2
    assert "has no novelty score" in " ".join(done.stderr.split())


def test_separation_is_perfect_or_chance() -> None:
    low, high = np.linspace(0, 0.5, 40), np.linspace(2, 3, 30)

    assert (auroc(low, high), auroc(low, low), missed_share(low, high)) == (1.0, 0.5, 0.0)
    assert missed_share(low, low) == pytest.approx(0.95)
    assert separation(low, high)["foreign_called_unknown"] == 1.0
