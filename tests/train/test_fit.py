"""Training is repeatable, stops in time, and keeps the best weights."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgeclf.runtime.errors import DatasetError, OutputError
from edgeclf.runtime.terminal.console import Terminated
from edgeclf.train.batches import Batches, Inputs
from edgeclf.train.checkpoint import Checkpoint
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.fit import Trained, _class_weights, fit
from edgeclf.train.history import read_history, write_history
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.recipes import LIGHT, Recipe, Schedule
from edgeclf.train.results.evaluation import probabilities

MakeArrays = Callable[..., Arrays]
RECIPE = Recipe(ConvNet(filters=(4,), dropout=0.3), epochs=4, batch=8, learning_rate=0.01, augmentation=LIGHT, seed=1)


Fit = tuple[Trained, Path]


@pytest.fixture(scope="module")
def fit_noise(make_arrays: MakeArrays, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Fit]:
    """Train with the given recipe, always on the same 25 images of noise. Returns the result and the folder."""

    def run(recipe: Recipe) -> Fit:
        folder = tmp_path_factory.mktemp("fit")
        return fit(recipe, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), folder), folder

    return run


@pytest.fixture(scope="module")
def cosine(fit_noise: Callable[[Recipe], Fit]) -> Fit:
    return fit_noise(RECIPE)


@pytest.fixture(scope="module")
def constant(fit_noise: Callable[[Recipe], Fit]) -> Fit:
    return fit_noise(replace(RECIPE, schedule="constant"))


@pytest.fixture(scope="module")
def reference(cosine: Fit) -> Trained:
    return cosine[0]


def weights(trained: Trained) -> bytes:
    return b"".join(np.asarray(weight).tobytes() for weight in trained.network.get_weights())


def validation_losses(folder: Path) -> list[float]:
    header, *rows = (line.split(",") for line in (folder / "history.csv").read_text().splitlines())
    return [float(row[header.index("val_loss")]) for row in rows]


def test_the_same_seed_gives_the_same_weights_bit_for_bit(reference: Trained, fit_noise: Callable[[Recipe], Fit]) -> None:
    assert weights(fit_noise(RECIPE)[0]) == weights(reference)


OTHER_SETTINGS: tuple[dict[str, object], ...] = ({"seed": 2}, {"augmentation": Augmentation()}, {"balance": True})


@pytest.mark.parametrize(
    "change",
    [{"optimizer": "sgd"}, *(pytest.param(one, marks=pytest.mark.slow) for one in OTHER_SETTINGS)],
    ids=str,
)
def test_each_setting_of_the_recipe_has_an_effect(
    reference: Trained, fit_noise: Callable[[Recipe], Fit], change: dict[str, object]
) -> None:
    changed = replace(RECIPE, **change)  # type: ignore[arg-type]
    assert weights(fit_noise(changed)[0]) != weights(reference)


@pytest.mark.parametrize(("schedule", "shares"), [("cosine", [1, 0.853553, 0.5, 0.146447]), ("constant", [1, 1, 1, 1])])
def test_the_learning_rate_follows_the_schedule(
    request: pytest.FixtureRequest, schedule: Schedule, shares: list[float]
) -> None:
    _, folder = request.getfixturevalue(schedule)
    rates = [float(row["learning_rate"]) for row in read_history(folder / "history.csv")]
    assert rates == pytest.approx([share * RECIPE.learning_rate for share in shares], abs=1e-5)


def test_class_weights_make_rare_classes_count_as_much_as_frequent_ones() -> None:
    rare = (np.arange(40) < 4).astype(np.int64)
    assert _class_weights(rare) == {0: pytest.approx(40 / 72), 1: pytest.approx(5)}


def test_augmentation_is_not_part_of_the_network(reference: Trained) -> None:
    kinds = [type(layer).__name__ for layer in reference.network._flatten_layers(include_self=False)]
    assert not [kind for kind in kinds if kind.startswith("Random") or kind == "Sequential"]


def test_inference_is_deterministic(reference: Trained, make_arrays: MakeArrays) -> None:
    images = make_arrays(8).images
    first, second = (probabilities(reference.network, images) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def cross_entropy(trained: Trained, images: Arrays) -> float:
    predicted = probabilities(trained.network, images.images)
    return float(-np.log(predicted[np.arange(len(images)), images.labels]).mean())


@pytest.fixture(scope="module")
def stopped(make_arrays: MakeArrays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, list[float], Arrays]:
    """A network that overfits noise until early stopping, with its validation losses and its validation split."""
    folder = tmp_path_factory.mktemp("stopped")
    val = make_arrays(30, classes=3, seed=8)
    recipe = Recipe(ConvNet((16, 16), dropout=0.0), epochs=60, batch=8, learning_rate=0.02, patience=4)
    trained = fit(recipe, 3, make_arrays(30, classes=3, seed=7), val, folder)
    return trained, validation_losses(folder), val


def test_training_stops_early_if_the_validation_loss_does_not_fall(stopped: tuple[Trained, list[float], Arrays]) -> None:
    trained, losses, _ = stopped
    assert trained.epochs == len(losses) == trained.best_epoch + 4 < 60


def test_the_best_epoch_is_that_of_the_lowest_validation_loss(stopped: tuple[Trained, list[float], Arrays]) -> None:
    trained, losses, _ = stopped
    assert losses[trained.best_epoch - 1] == min(losses)


def test_the_network_has_the_weights_of_the_best_epoch(stopped: tuple[Trained, list[float], Arrays]) -> None:
    trained, losses, val = stopped
    assert cross_entropy(trained, val) == pytest.approx(min(losses), rel=1e-4)
    assert losses[-1] > min(losses) * 1.001  # otherwise the weights of the last epoch would pass, too


@pytest.mark.slow
def test_the_best_weights_are_kept_when_the_epochs_run_out(make_arrays: MakeArrays, tmp_path: Path) -> None:
    val = make_arrays(30, classes=3, seed=8)
    recipe = Recipe(ConvNet((16, 16), dropout=0.0), epochs=12, batch=8, learning_rate=0.02, patience=50)
    trained = fit(recipe, 3, make_arrays(30, classes=3, seed=7), val, tmp_path)
    losses = validation_losses(tmp_path)
    assert (trained.epochs, losses[trained.best_epoch - 1]) == (12, min(losses))
    assert cross_entropy(trained, val) == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_an_infinite_or_nan_loss_is_an_error_with_the_epoch_and_advice(
    make_arrays: MakeArrays, tmp_path: Path, classes: int
) -> None:
    recipe = Recipe(ConvNet((4,)), epochs=9, batch=8, learning_rate=1e38)
    with pytest.raises(DatasetError, match=r"NaN in epoch [1-3]; .*--learning-rate"):
        fit(recipe, classes, make_arrays(24, classes), make_arrays(6, classes), tmp_path)


def test_a_batch_may_be_larger_than_the_data_set(make_arrays: MakeArrays, tmp_path: Path) -> None:
    recipe = Recipe(ConvNet((4,)), epochs=1, batch=100)
    assert fit(recipe, 2, make_arrays(3), make_arrays(2), tmp_path).epochs == 1


def test_a_saved_network_gives_the_same_probabilities_when_loaded(
    reference: Trained, make_arrays: MakeArrays, tmp_path: Path
) -> None:
    images = make_arrays(8).images
    reference.network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", compile=False)
    np.testing.assert_array_equal(probabilities(loaded, images), probabilities(reference.network, images))


@contextmanager
def killed(after: int, error: type[BaseException]) -> Iterator[None]:
    """Raise `error` right after the n-th checkpoint is written."""
    write, written = Checkpoint.write, []

    def write_then_die(self: Checkpoint, path: Path) -> None:
        write(self, path)
        written.append(path)
        if len(written) == after:
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "write", write_then_die)
        yield


LONGER = replace(RECIPE, epochs=5, patience=0)


@pytest.fixture(scope="module")
def interrupted(make_arrays: MakeArrays, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """A training that Ctrl-C stopped after two epochs, and its folder. Read only."""
    folder = tmp_path_factory.mktemp("interrupted")
    with killed(2, KeyboardInterrupt):
        return fit(LONGER, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), folder), folder


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3, 5])
def test_resumed_after_a_kill_the_weights_are_those_of_an_uninterrupted_run(
    fit_noise: Callable[[Recipe], Fit],
    make_arrays: MakeArrays,
    tmp_path: Path,
    after: int,
) -> None:
    whole, _ = fit_noise(LONGER)
    with pytest.raises(Terminated), killed(after, Terminated):
        fit(LONGER, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), tmp_path)
    resumed = fit(LONGER, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), tmp_path, resume=True)
    assert weights(resumed) == weights(whole)
    assert (resumed.best_epoch, resumed.epochs) == (whole.best_epoch, 5)
    assert [row["epoch"] for row in read_history(tmp_path / "history.csv")] == ["1", "2", "3", "4", "5"]


def test_ctrl_c_ends_with_the_best_weights_so_far(interrupted: Fit, make_arrays: MakeArrays) -> None:
    stopped, folder = interrupted
    losses = validation_losses(folder)
    assert (stopped.interrupted, stopped.epochs, len(losses)) == (True, 2, 2)
    assert cross_entropy(stopped, make_arrays(8, seed=2)) == pytest.approx(min(losses), rel=1e-4)


def test_ctrl_c_while_an_epoch_is_recorded_waits_until_it_is_complete(
    make_arrays: MakeArrays, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def press_ctrl_c_and_write(rows: Any, path: Path) -> None:
        if len(rows) == 2:
            signal.raise_signal(signal.SIGINT)
        write_history(rows, path)

    monkeypatch.setattr("edgeclf.train.fit.write_history", press_ctrl_c_and_write)
    stopped = fit(LONGER, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), tmp_path)
    assert (stopped.interrupted, stopped.epochs) == (True, 2)
    assert Checkpoint.read(tmp_path / "checkpoint.npz").epoch == len(read_history(tmp_path / "history.csv")) == 2


def test_ctrl_c_in_the_first_epoch_ends_without_a_result(
    make_arrays: MakeArrays, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeclf.train.fit.EpochCallback.on_train_batch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(LONGER, 2, make_arrays(8), make_arrays(4), tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_does_not_damage_the_last_checkpoint(
    interrupted: Fit, make_arrays: MakeArrays, full_disk: Callable[[int], AbstractContextManager[None]], tmp_path: Path
) -> None:
    shutil.copytree(interrupted[1], tmp_path, dirs_exist_ok=True)
    before = Checkpoint.read(tmp_path / "checkpoint.npz")
    with full_disk(1000), pytest.raises(OutputError, match=r"cannot write .*\.csv|checkpoint\.npz"):
        fit(LONGER, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), tmp_path, resume=True)
    after = Checkpoint.read(tmp_path / "checkpoint.npz")
    assert (after.epoch, after.rows) == (before.epoch, before.rows) == (2, before.rows)


def test_no_epoch_starts_after_the_time_is_over_and_the_time_before_a_kill_counts(
    make_arrays: MakeArrays, tmp_path: Path
) -> None:
    recipe = replace(LONGER, epochs=1000, time_s=0.001)
    assert fit(recipe, 2, make_arrays(9), make_arrays(4), tmp_path).epochs == 1
    before = Checkpoint.read(tmp_path / "checkpoint.npz")
    replace(before, seconds=3600.0).write(tmp_path / "checkpoint.npz")
    assert fit(replace(LONGER, time_s=3600.0), 2, make_arrays(9), make_arrays(4), tmp_path, resume=True).epochs == 1


@pytest.mark.slow
def test_weights_from_before_a_nan_loss_are_kept(make_arrays: MakeArrays, tmp_path: Path) -> None:
    fit(replace(LONGER, epochs=2), 2, make_arrays(25, seed=1), make_arrays(8, seed=2), tmp_path)
    good = Checkpoint.read(tmp_path / "checkpoint.npz")
    replace(good, weights=[np.full_like(weight, np.nan) for weight in good.weights]).write(tmp_path / "checkpoint.npz")
    spoilt = fit(LONGER, 2, make_arrays(25, seed=1), make_arrays(8, seed=2), tmp_path, resume=True)
    assert "NaN in epoch 3" in spoilt.problem
    assert np.isfinite(probabilities(spoilt.network, make_arrays(8).images)).all()
    assert spoilt.best_epoch <= 2


def test_batches_of_a_resumed_epoch_are_those_of_the_first_run(make_arrays: MakeArrays) -> None:
    images = make_arrays(20)
    inputs = Inputs((images.images,), images.labels)
    whole, resumed = (Batches(inputs, 7, (3, 0, epoch)) for epoch in (0, 1))
    whole.on_epoch_end()
    np.testing.assert_array_equal(whole[1][0], resumed[1][0])
