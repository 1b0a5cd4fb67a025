"""Training: repeatable, stopped in time, with the best weights kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edgeclf.runtime.errors import DatasetError, OptionError
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.fit import Recipe, Trained, fit
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.results.evaluation import probabilities

MakeArrays = Callable[..., Arrays]
RECIPE = Recipe(ConvNet(filters=(4,), dropout=0.3), epochs=2, batch=8, learning_rate=0.01, augment=True, seed=1)


@pytest.fixture(scope="module")
def fit_noise(make_arrays: MakeArrays, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Trained]:
    """Train on the same 24 pictures of noise as ever, with the given recipe."""

    def run(recipe: Recipe) -> Trained:
        history = tmp_path_factory.mktemp("fit") / "history.csv"
        return fit(recipe, 2, make_arrays(24, seed=1), make_arrays(8, seed=2), history)

    return run


@pytest.fixture(scope="module")
def reference(fit_noise: Callable[[Recipe], Trained]) -> Trained:
    return fit_noise(RECIPE)


def weights(trained: Trained) -> bytes:
    return b"".join(np.asarray(weight).tobytes() for weight in trained.network.get_weights())


def validation_losses(history: Path) -> list[float]:
    header, *rows = (line.split(",") for line in history.read_text().splitlines())
    return [float(row[header.index("val_loss")]) for row in rows]


def test_one_seed_gives_the_same_weights_to_the_bit(reference: Trained, fit_noise: Callable[[Recipe], Trained]) -> None:
    assert weights(fit_noise(RECIPE)) == weights(reference)


@pytest.mark.parametrize("change", [{"seed": 2}, {"augment": False}], ids=str)
def test_what_the_recipe_says_has_an_effect(
    reference: Trained, fit_noise: Callable[[Recipe], Trained], change: dict[str, int]
) -> None:
    assert weights(fit_noise(replace(RECIPE, **change))) != weights(reference)


def test_augmentation_is_not_in_the_network(reference: Trained) -> None:
    kinds = [type(layer).__name__ for layer in reference.network._flatten_layers(include_self=False)]
    assert not [kind for kind in kinds if kind.startswith("Random") or kind == "Sequential"]


def test_the_network_answers_without_chance(reference: Trained, make_arrays: MakeArrays) -> None:
    images = make_arrays(8).images
    first, second = (probabilities(reference.network, images) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def cross_entropy(trained: Trained, pictures: Arrays) -> float:
    answers = probabilities(trained.network, pictures.images)
    return float(-np.log(answers[np.arange(len(pictures)), pictures.labels]).mean())


@pytest.fixture(scope="module")
def stopped(make_arrays: MakeArrays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, list[float], Arrays]:
    """Noise learnt by heart until the validation loss has risen for four epochs; with its history and validation part."""
    history = tmp_path_factory.mktemp("stopped") / "history.csv"
    val = make_arrays(30, classes=3, seed=8)
    recipe = Recipe(ConvNet((16, 16), dropout=0.0), epochs=60, batch=8, learning_rate=0.02, patience=4, augment=False)
    trained = fit(recipe, 3, make_arrays(30, classes=3, seed=7), val, history)
    return trained, validation_losses(history), val


def test_training_stops_when_the_validation_loss_no_longer_falls(stopped: tuple[Trained, list[float], Arrays]) -> None:
    trained, losses, _ = stopped
    assert trained.epochs == len(losses) == trained.best_epoch + 4 < 60


def test_the_best_epoch_is_that_of_the_lowest_validation_loss(stopped: tuple[Trained, list[float], Arrays]) -> None:
    trained, losses, _ = stopped
    assert losses[trained.best_epoch - 1] == min(losses)


def test_the_network_has_the_weights_of_the_best_epoch(stopped: tuple[Trained, list[float], Arrays]) -> None:
    trained, losses, val = stopped
    assert cross_entropy(trained, val) == pytest.approx(min(losses), rel=1e-4)
    assert losses[-1] > min(losses) * 1.001  # else the last epoch's weights would do as well


def test_the_best_weights_are_kept_when_the_epochs_run_out(make_arrays: MakeArrays, tmp_path: Path) -> None:
    val = make_arrays(30, classes=3, seed=8)
    recipe = Recipe(ConvNet((16, 16), dropout=0.0), epochs=12, batch=8, learning_rate=0.02, patience=50, augment=False)
    trained = fit(recipe, 3, make_arrays(30, classes=3, seed=7), val, tmp_path / "history.csv")
    losses = validation_losses(tmp_path / "history.csv")
    assert (trained.epochs, losses[trained.best_epoch - 1]) == (12, min(losses))
    assert cross_entropy(trained, val) == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_loss_that_is_no_number_stops_with_the_epoch_and_a_way_out(
    make_arrays: MakeArrays, tmp_path: Path, classes: int
) -> None:
    recipe = Recipe(ConvNet((4,)), epochs=9, batch=8, learning_rate=1e38, augment=False)
    with pytest.raises(DatasetError, match=r"the loss became infinite or NaN in epoch [1-3]; try a lower --learning-rate"):
        fit(recipe, classes, make_arrays(24, classes), make_arrays(6, classes), tmp_path / "history.csv")


def test_batches_of_any_number_of_pictures_are_trained_on(make_arrays: MakeArrays, tmp_path: Path) -> None:
    recipe = Recipe(ConvNet((4,)), epochs=1, batch=100, augment=False)
    assert fit(recipe, 2, make_arrays(3), make_arrays(2), tmp_path / "history.csv").epochs == 1


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"seed": -1},
        {"seed": 2**32},
    ],
    ids=str,
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(options)).replace("_", "-")):
        Recipe(**options)  # type: ignore[arg-type]


def test_saved_and_loaded_the_network_answers_the_same(reference: Trained, make_arrays: MakeArrays, tmp_path: Path) -> None:
    images = make_arrays(8).images
    reference.network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", compile=False)
    np.testing.assert_array_equal(probabilities(loaded, images), probabilities(reference.network, images))
