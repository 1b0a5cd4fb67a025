"""From options to a training: what is asked for replaces what the recipe says, and options have to fit together."""

import re
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.config import TrainingConfig, configure
from edgeclf.train.networks.architectures import FlatNet
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.options import AugmentationOptions, NetworkOptions, SplitOptions, TrainingOptions, TrainOptions
from edgeclf.train.recipes import CNN, PRESETS


def configured(
    network: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    augmentation: dict[str, Any] | None = None,
    splits: dict[str, Any] | None = None,
) -> TrainingConfig:
    """What `clf-train photos` trains with these options."""
    options = TrainOptions(
        data=Path("photos"),
        network=NetworkOptions(**(network or {})),
        training=TrainingOptions(**(training or {})),
        augmentation=AugmentationOptions(**(augmentation or {})),
        splits=SplitOptions(**(splits or {})),
    )
    return configure(options)


@pytest.mark.parametrize(("text", "seconds", "said"), [("20", 1200, True), ("20s", 20, False), ("1h30m", 5400, False)])
def test_a_bare_number_of_time_is_minutes_and_that_is_said(
    text: str, seconds: float, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configured(training={"time": text}).recipe.time_s == seconds
    assert ("20 minutes" in capsys.readouterr().err) == said


def test_the_default_is_a_pretrained_network_at_its_own_size() -> None:
    config = configured()
    assert config.recipe.network == Backbone("efficientnet-lite0")
    assert (config.data, config.preprocess) == (Path("photos"), Preprocess((256, 256)))


@pytest.mark.parametrize(("name", "size"), [("efficientnet-lite1", 272), ("efficientnet-lite2", 304), ("MobileNetV2", 256)])
def test_a_network_has_its_own_image_size(name: str, size: int) -> None:
    assert configured({"model": name}).preprocess.size_hw == (size, size)


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_recipe_without_other_options_is_used_unchanged(name: str) -> None:
    config = configured({"recipe": name})
    assert config.splitting is not None
    assert config.recipe == PRESETS[name].recipe
    assert (config.preprocess.size_hw, config.splitting.shares) == (PRESETS[name].size_hw, PRESETS[name].shares)


@pytest.mark.parametrize(
    ("option", "value", "field", "expected"),
    [
        ("epochs", 3, "epochs", 3),
        ("batch", 5, "batch", 5),
        ("optimizer", "sgd", "optimizer", "sgd"),
        ("learning_rate", 0.5, "learning_rate", 0.5),
        ("schedule", "cosine", "schedule", "cosine"),
        ("patience", 0, "patience", 0),
        ("time", "1h", "time_s", 3600.0),
        ("class_weight", "auto", "balance", True),
        ("seed", 7, "seed", 7),
    ],
)
def test_every_value_of_a_recipe_can_be_overridden(option: str, value: object, field: str, expected: object) -> None:
    assert getattr(configured({"recipe": "boolean"}, {option: value}).recipe, field) == expected


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("filters", "4,8", FlatNet((4, 8), (256,))),
        ("dense", "", FlatNet((16, 32, 64))),
        ("dropout", 0.5, FlatNet((16, 32, 64), (256,), 0.5)),
    ],
)
def test_the_network_of_a_recipe_can_be_changed(option: str, value: object, expected: FlatNet) -> None:
    assert configured({"recipe": "boolean", option: value}).recipe.network == expected


def test_size_and_shares_of_a_recipe_can_be_overridden() -> None:
    config = configured({"recipe": "boolean", "imgsz": "96x64"}, splits={"split": "50,25,25"})
    assert config.splitting is not None
    assert (config.preprocess.size_hw, config.splitting.shares) == ((64, 96), (0.5, 0.25, 0.25))


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("rotation", 10.0, Augmentation(rotation=10.0)),
        ("translate", 0.2, Augmentation(width_shift=0.2, height_shift=0.2)),
        ("width_shift", 0.3, Augmentation(width_shift=0.3)),
        ("height_shift", 0.3, Augmentation(height_shift=0.3)),
        ("shear", 0.1, Augmentation(shear=0.1)),
        ("zoom", 0.1, Augmentation(zoom=0.1)),
        ("horizontal_flip", True, Augmentation(horizontal_flip=True)),
        ("vertical_flip", True, Augmentation(vertical_flip=True)),
        ("brightness", 0.1, Augmentation(brightness=0.1)),
        ("contrast", 0.1, Augmentation(contrast=0.1)),
        ("fill_mode", "wrap", Augmentation(fill="wrap")),
    ],
)
def test_each_augmentation_has_its_option(option: str, value: object, expected: Augmentation) -> None:
    config = configured({"model": "cnn"}, augmentation={"augment": False, option: value})
    assert config.recipe.augmentation == expected


def test_an_augmentation_option_overrides_only_its_own_value() -> None:
    found = configured({"model": "cnn"}, augmentation={"rotation": 5.0, "horizontal_flip": False}).recipe.augmentation
    assert (found.rotation, found.horizontal_flip, found.zoom) == (5.0, False, CNN.recipe.augmentation.zoom)


def test_a_single_shift_overrides_translate() -> None:
    found = configured({"model": "cnn"}, augmentation={"translate": 0.2, "width_shift": 0.0}).recipe.augmentation
    assert (found.width_shift, found.height_shift) == (0.0, 0.2)


@pytest.mark.parametrize(
    ("network", "training", "error"),
    [
        ({"recipe": "hot-dog"}, {}, r"--recipe cannot be 'hot-dog'; choose from cnn, boolean, intro"),
        ({"recipe": "intro", "model": "MobileNetV2"}, {}, "--recipe intro .*--model MobileNetV2"),
        ({"model": "cnn", "weights": "imagenet"}, {}, "--weights .* pretrained"),
        ({"filters": "8"}, {}, "--filters .*--model cnn"),
        ({"dense": "8"}, {}, "--dense .*--model cnn"),
        ({"model": "cnn", "filters": "8;16"}, {}, "--filters .*'8;16'"),
        ({"model": "cnn"}, {"fine_tune": 2}, "--fine-tune .* pretrained"),
        ({}, {"class_weight": "heavy"}, "--class-weight .*'heavy'"),
        ({}, {"time": "soon"}, "--time .*'soon'"),
        ({"model": "efficientnet-lite9"}, {}, "efficientnet-lite9'; did you mean"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_together_are_refused(network: dict[str, Any], training: dict[str, Any], error: str) -> None:
    with pytest.raises(OptionError) as refused:
        configured(network, training)
    assert re.search(error, str(refused.value))


def test_a_limit_would_make_corrected_images_new_ones() -> None:
    with pytest.raises(OptionError, match=r"--limit 9 .*--corrections"):
        configure(TrainOptions(Path("photos"), SplitOptions(limit=9, corrections=Path("corrections.csv"))))


def test_options_without_data_are_refused() -> None:
    with pytest.raises(OptionError, match="clf-train DATA"):
        configure(TrainOptions())
