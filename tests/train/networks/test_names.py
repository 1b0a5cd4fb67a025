"""The names that help and completion offer are those that training takes."""

from fnmatch import fnmatchcase

import keras

from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.networks.families import APPLICATIONS, FAMILIES
from edgeclf.train.networks.names import NETWORKS, RECIPES
from edgeclf.train.recipes import PRESETS, transfer


def test_networks_are_those_of_keras_and_ours() -> None:
    callable_names = {name for name in dir(keras.applications) if callable(getattr(keras.applications, name))}
    known = {name for name in callable_names if any(fnmatchcase(name, one) for one in FAMILIES)}
    assert {name.lower() for name in known} < set(NETWORKS)
    assert set(APPLICATIONS) == known


def test_recipes_are_the_presets_that_have_a_name() -> None:
    assert {*RECIPES, "cnn"} == set(PRESETS)


def test_the_defaults_that_the_help_of_clf_train_shows_are_those_of_the_default_network() -> None:
    recipe = transfer(Backbone("efficientnet-lite0")).recipe
    shown = (recipe.epochs, recipe.batch, recipe.learning_rate, recipe.patience, recipe.fine_tune)
    assert shown == (4, 32, 0.0002, 4, 3)
    assert (recipe.optimizer, recipe.schedule, recipe.augmentation.fill) == ("adam", "cosine", "reflect")
