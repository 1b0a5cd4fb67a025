"""Transfer learning in stages: frozen layers keep their weights and run once, and a resumed training ends the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edgeclf.runtime.terminal.console import Terminated
from edgeclf.train import frozen_front
from edgeclf.train.checkpoint import Checkpoint
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.fit import Trained, fit
from edgeclf.train.frozen_front import FrozenFront
from edgeclf.train.gain import is_better, leaves_nothing_to_gain
from edgeclf.train.history import read_history
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.pretrained import cut_before_last
from edgeclf.train.recipes import Recipe
from edgeclf.train.stages import RANDOM_VIEWS, compute_features, plan, takes_features, trainable_model, views

MakeArrays = Callable[..., Arrays]
MIRROR = Augmentation(horizontal_flip=True)
TRANSFER = Recipe(Backbone(), epochs=2, batch=8, learning_rate=1e-4, augmentation=MIRROR, fine_tune=1, patience=0)


@pytest.fixture(scope="module")
def pretrained() -> keras.Model:
    """EfficientNet-Lite0 for small images of three classes, before training."""
    keras.utils.set_random_seed(0)
    return Backbone().build((40, 48, 3), 3)


@pytest.fixture(scope="module")
def images(make_arrays: MakeArrays) -> Arrays:
    return make_arrays(20, 3, shape=(40, 48, 3))


@pytest.fixture(scope="module")
def transferred(images: Arrays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Path]:
    folder = tmp_path_factory.mktemp("transfer")
    return fit(TRANSFER, 3, images, images, folder), folder


def changed_layers(network: keras.Model, before: keras.Model) -> set[str]:
    """Names of the layers whose weights differ from `before`."""
    return {
        layer.name
        for layer, old in zip(network.layers, before.layers, strict=True)
        if any(not np.array_equal(new, was) for new, was in zip(layer.get_weights(), old.get_weights(), strict=True))
    }


def test_the_head_of_a_pretrained_network_is_trained_first(pretrained: keras.Model) -> None:
    head, tuned = plan(TRANSFER, pretrained)
    assert [(stage.name, stage.epochs, stage.learning_rate) for stage in (head, tuned)] == [
        ("head", 1, 0.0),
        ("fine-tune", 2, 1e-4),
    ]


def test_without_fine_tuning_there_is_only_the_head(pretrained: keras.Model) -> None:
    assert [stage.name for stage in plan(replace(TRANSFER, fine_tune=0), pretrained)] == ["head"]


@pytest.mark.parametrize("network", [ConvNet(), Backbone(weights="none")], ids=str)
def test_a_network_without_pretrained_weights_is_trained_in_one_stage(
    network: ConvNet | Backbone, pretrained: keras.Model
) -> None:
    (stage,) = plan(replace(TRANSFER, network=network), pretrained)
    assert (stage.name, stage.front) == ("all", ())


@pytest.mark.parametrize("engine", ["Keras", "LiteRT"])
def test_features_are_the_outputs_of_the_frozen_layers(
    pretrained: keras.Model, images: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(frozen_front, "WORTH_CONVERTING", 1 if engine == "LiteRT" else 1000)
    tensors = [tensor for blocks in (1, 0) for tensor in cut_before_last(pretrained, blocks)]
    front = FrozenFront(pretrained, tensors, images.images)
    assert front.engine == engine
    caches = [tmp_path / str(number) for number in range(len(tensors))]
    features = compute_features(front, images.images, views(MIRROR, 0), caches)
    shown = np.concatenate([images.images, images.images[:, :, ::-1]]).astype(np.float32)
    for tensor, found in zip(tensors, features, strict=True):
        expected = keras.Model(pretrained.input, tensor).predict(shown, verbose=0)
        np.testing.assert_allclose(found, expected, atol=2e-2)


def test_keras_runs_what_litert_answers_otherwise(
    pretrained: keras.Model, images: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_front, "WORTH_CONVERTING", 1)
    monkeypatch.setattr(frozen_front, "TOLERANCE", -1.0)
    front = FrozenFront(pretrained, cut_before_last(pretrained, 0), images.images)
    assert front.engine == "Keras"
    assert [len(pooled) for (pooled,) in front([images.images[:3], images.images[3:5]])] == [3, 2]


def test_only_the_last_block_and_the_head_change(transferred: tuple[Trained, Path], pretrained: keras.Model) -> None:
    assert changed_layers(transferred[0].network, pretrained) == {
        *(f"block7a_{layer}" for layer in ("expand", "depthwise", "project")),
        "head",
        "probabilities",
    }


def test_only_fine_tuning_has_to_gain_more_than_noise_and_has_patience(pretrained: keras.Model) -> None:
    head, tuned = plan(replace(TRANSFER, patience=3), pretrained)
    assert (head.refines, tuned.refines, tuned.patience) == (False, True, 3)


@pytest.mark.parametrize(
    ("losses", "better", "beyond_noise"),
    [
        ([0.4, 0.4, 0.5, 0.5], True, True),
        ([0.0, 0.6, 0.6, 0.6], True, False),  # one image gains much, the others lose
        ([0.6, 0.5, 0.5, 0.5], False, False),
    ],
    ids=["all gain", "one gains", "one loses"],
)
def test_a_gain_counts_if_it_is_more_than_its_standard_error(losses: list[float], better: bool, beyond_noise: bool) -> None:
    given = np.array(losses)
    assert is_better(given, [0.5] * 4, beyond_noise=False) == better
    assert is_better(given, [0.5] * 4, beyond_noise=True) == beyond_noise
    assert is_better(given, [], beyond_noise=True)


@pytest.mark.parametrize(
    ("errors", "images", "expected"), [(1, 120, True), (5, 120, True), (6, 600, False), (1, 20, False), (0, 4, True)]
)
def test_with_few_errors_there_is_nothing_to_gain(errors: int, images: int, expected: bool) -> None:
    assert leaves_nothing_to_gain(errors, images) == expected


def test_fine_tuning_is_left_out_if_it_could_not_show_a_gain(
    make_arrays: MakeArrays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = make_arrays(20, 3, shape=(40, 48, 3), highest=40)
    images = replace(noise, images=noise.images + 100 * noise.labels.astype(np.uint8)[:, None, None, None])
    trained = fit(replace(TRANSFER, patience=40), 3, images, images, tmp_path)
    assert [row["stage"] for row in read_history(tmp_path / "history.csv")] == ["head"]
    assert trained.best_epoch == 1
    assert "fine-tuning: left out, because 20 of 20 validation images are right" in capsys.readouterr().err


def test_the_history_names_the_stages(transferred: tuple[Trained, Path]) -> None:
    rows = read_history(transferred[1] / "history.csv")
    assert [(row["stage"], row["epoch"]) for row in rows] == [
        ("head", "1"),
        ("fine-tune", "2"),
        ("fine-tune", "3"),
    ]


def test_only_history_and_checkpoint_remain(transferred: tuple[Trained, Path]) -> None:
    assert {path.name for path in transferred[1].iterdir()} == {"history.csv", "checkpoint.npz"}


def test_all_layers_are_trainable_afterwards(transferred: tuple[Trained, Path]) -> None:
    assert all(layer.trainable for layer in transferred[0].network.layers)


@pytest.mark.slow
def test_fine_tuning_that_makes_the_model_worse_is_undone(
    transferred: tuple[Trained, Path], images: Arrays, pretrained: keras.Model, tmp_path: Path
) -> None:
    worse = fit(replace(TRANSFER, learning_rate=10.0), 3, images, images, tmp_path)
    assert worse.best_epoch == 1
    assert changed_layers(worse.network, pretrained) == {"probabilities"}


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2])
def test_resumed_in_any_stage_the_weights_are_those_of_an_uninterrupted_run(
    transferred: tuple[Trained, Path],
    images: Arrays,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    after: int,
) -> None:
    write, written = Checkpoint.write, []

    def write_then_die(self: Checkpoint, path: Path) -> None:
        write(self, path)
        written.append(path)
        if len(written) == after:
            raise Terminated

    monkeypatch.setattr(Checkpoint, "write", write_then_die)
    with pytest.raises(Terminated):
        fit(TRANSFER, 3, images, images, tmp_path)
    resumed = fit(TRANSFER, 3, images, images, tmp_path, resume=True)
    assert changed_layers(resumed.network, transferred[0].network) == set()
    assert (resumed.best_epoch, resumed.epochs) == (transferred[0].best_epoch, 3)


def test_a_head_sees_the_image_itself_and_then_its_changes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 20, 3), np.uint8)
    assert [view(images).tobytes() for view in views(Augmentation(), 0)] == [images.tobytes()]
    first, mirrored = views(MIRROR, 0)
    assert (first(images).tobytes(), mirrored(images).tobytes()) == (images.tobytes(), images[:, :, ::-1].tobytes())
    first, *others = (view(images) for view in views(Augmentation(brightness=0.5), 0))
    assert first.tobytes() == images.tobytes()
    assert len({other.tobytes() for other in others}) == len(others) == RANDOM_VIEWS - 1


@pytest.mark.slow
def test_with_random_augmentation_fine_tuning_runs_the_frozen_layers_in_every_step(
    images: Arrays, pretrained: keras.Model, tmp_path: Path
) -> None:
    recipe = replace(TRANSFER, epochs=1, augmentation=Augmentation(zoom=0.2))
    head, tuned = plan(recipe, pretrained)
    assert (takes_features(head, recipe), takes_features(tuned, recipe)) == (True, False)
    assert pretrained in trainable_model(tuned, recipe, pretrained).layers
    fit(recipe, 3, images, images, tmp_path)
    assert [row["stage"] for row in read_history(tmp_path / "history.csv")] == ["head", "fine-tune"]
