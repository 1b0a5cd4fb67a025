"""The named recipes: exactly the networks of the tutorials. Settings are validated."""

from dataclasses import replace
from typing import Any

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.train.networks.architectures import ConvNet, head_of
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.recipes import PRESETS, Recipe, transfer

TUTORIALS = ["boolean", "intro", "dogs-vs-cats", "homer-bart", "elephants-cars"]
NOTHING = Augmentation()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("boolean", 14_769_697),
        ("intro", 3_937_409),
        ("dogs-vs-cats", 196_770),
        ("homer-bart", 13_486_535),
        ("elephants-cars", 5_046_369),
    ],
)
def test_the_network_of_a_tutorial_has_the_right_number_of_parameters(name: str, parameters: int) -> None:
    preset = PRESETS[name]
    assert preset.recipe.network.build((*preset.size_hw, 3), 2).count_params() == parameters


def test_intro_accepts_larger_images() -> None:
    assert PRESETS["intro"].recipe.network.build((256, 256, 3), 2).count_params() == 66_065_537


@pytest.mark.parametrize("name", TUTORIALS)
def test_more_than_two_classes_get_a_softmax(name: str) -> None:
    network = PRESETS[name].recipe.network.build((64, 64, 3), 5)
    assert (network.output_shape, network.layers[-1].activation.__name__) == ((None, 5), "softmax")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("boolean", "sigmoid"),
        ("intro", "sigmoid"),
        ("dogs-vs-cats", "softmax"),
        ("homer-bart", "softmax"),
        ("elephants-cars", "sigmoid"),
    ],
)
def test_the_head_for_two_classes_is_that_of_the_tutorial(name: str, head: str) -> None:
    assert head_of(PRESETS[name].recipe.network.build((64, 64, 3), 2)) == head


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("boolean", ((256, 256), "adam", 32, 20, 5, NOTHING)),
        ("intro", ((64, 64), "adam", 32, 25, 0, Augmentation(shear=0.2, zoom=0.2, horizontal_flip=True, fill="nearest"))),
        ("dogs-vs-cats", ((224, 224), "adam", 64, 20, 0, NOTHING)),
        (
            "homer-bart",
            ((64, 64), "adam", 8, 50, 0, Augmentation(rotation=7, zoom=0.2, horizontal_flip=True, fill="nearest")),
        ),
        (
            "elephants-cars",
            ((300, 300), "rmsprop", 16, 50, 0, Augmentation(40, 0.2, 0.2, 0.2, 0.2, horizontal_flip=True, fill="nearest")),
        ),
    ],
)
def test_a_tutorial_has_its_own_training_settings(name: str, training: tuple[Any, ...]) -> None:
    preset = PRESETS[name]
    recipe = preset.recipe
    found = (preset.size_hw, recipe.optimizer, recipe.batch, recipe.epochs, recipe.patience, recipe.augmentation)
    assert found == training
    assert (recipe.learning_rate, recipe.schedule, recipe.fine_tune) == (1e-3, "constant", 0)


def test_boolean_uses_a_fifth_for_validation() -> None:
    assert PRESETS["boolean"].shares[1] == 0.2


def test_the_cnn_recipe_has_half_the_parameters_of_the_smallest_tutorial() -> None:
    preset = PRESETS["cnn"]
    assert preset.recipe.network.build((*preset.size_hw, 3), 2).count_params() == 99_057


def test_a_backbone_is_trained_with_flips_only_so_that_features_are_computed_once() -> None:
    recipe = transfer(Backbone()).recipe
    assert recipe.augmentation.is_mirror
    assert recipe.fine_tune > 0


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch": 0},
        {"patience": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"fine_tune": -1},
        {"optimizer": "lion"},
        {"schedule": "steps"},
        {"time_s": 0.0},
        {"seed": -1},
        {"seed": 2**32},
    ],
    ids=str,
)
def test_invalid_settings_are_refused(options: dict[str, Any]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(OptionError, match=rf"^(--)?{name.removesuffix('_s').replace('_', '-')} (must|cannot) be .*{value}"):
        replace(Recipe(ConvNet()), **options)
