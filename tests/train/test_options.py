"""From flags to a recipe: what is asked for goes on top of what the recipe says, and a run can be taken up again."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import ModelError, OptionError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.networks.architectures import FlatNet
from edgeclf.train.networks.augment import Augmentation
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.options import OPTIONS_NAME, Options
from edgeclf.train.recipes import CNN, PRESETS

PLAIN = {"grey": False, "resize": "shrink", "fit": "stretch", "split_by": "", "class_weight": "none", "seed": 0}
SWITCHES = {"allow_leakage": False, "mixed_precision": False, "augment": True, "embed_samples": True}


def options(**asked: Any) -> Options:
    """What `clf-train photos` with these flags would make."""
    nothing = {field.name: None for field in fields(Options)}
    return Options(**(nothing | PLAIN | SWITCHES | {"data": Path("photos")} | asked))


def test_the_default_is_a_pretrained_network_at_its_own_size() -> None:
    assert options().training().network == Backbone("efficientnet-lite0")
    assert options().preprocess() == Preprocess((256, 256))


@pytest.mark.parametrize(("name", "size"), [("efficientnet-lite1", 272), ("efficientnet-lite2", 304), ("MobileNetV2", 256)])
def test_a_network_comes_with_its_own_image_size(name: str, size: int) -> None:
    assert options(model=name).preprocess().size_hw == (size, size)


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_recipe_without_other_flags_is_taken_as_it_is(name: str) -> None:
    chosen = options(recipe=name)
    assert chosen.training() == PRESETS[name].recipe
    assert (chosen.preprocess().size_hw, chosen.splitting().shares) == (PRESETS[name].size_hw, PRESETS[name].shares)


@pytest.mark.parametrize(
    ("flag", "value", "field", "expected"),
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
        ("filters", "4,8", "network", FlatNet((4, 8), (256,))),
        ("dense", "", "network", FlatNet((16, 32, 64))),
        ("dropout", 0.5, "network", FlatNet((16, 32, 64), (256,), 0.5)),
    ],
)
def test_every_value_of_a_recipe_can_be_overridden(flag: str, value: object, field: str, expected: object) -> None:
    assert getattr(options(recipe="boolean", **{flag: value}).training(), field) == expected


def test_size_and_shares_of_a_recipe_can_be_overridden() -> None:
    chosen = options(recipe="boolean", imgsz="96x64", split="50,25,25")
    assert (chosen.preprocess().size_hw, chosen.splitting().shares) == ((64, 96), (0.5, 0.25, 0.25))


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
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
def test_each_augmentation_has_its_flag(flag: str, value: object, expected: Augmentation) -> None:
    assert options(model="cnn", augment=False, **{flag: value}).training().augmentation == expected


def test_an_augmentation_goes_on_top_of_the_recipes_own() -> None:
    found = options(model="cnn", rotation=5.0, horizontal_flip=False).training().augmentation
    assert (found.rotation, found.horizontal_flip, found.zoom) == (5.0, False, CNN.recipe.augmentation.zoom)


def test_one_shift_goes_before_both() -> None:
    found = options(model="cnn", translate=0.2, width_shift=0.0).training().augmentation
    assert (found.width_shift, found.height_shift) == (0.0, 0.2)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"recipe": "hot-dog"}, "there is no recipe 'hot-dog'; choose from cnn, boolean, intro"),
        ({"recipe": "intro", "model": "MobileNetV2"}, "--recipe intro has a network of its own; leave out --model"),
        ({"model": "cnn", "weights": "imagenet"}, "--weights does not go with this network; it is for pretrained"),
        ({"filters": "8"}, "--filters does not go with this network; it is for --model cnn"),
        ({"dense": "8"}, "--dense does not go with this network"),
        ({"model": "cnn", "filters": "8;16"}, "--filters takes whole numbers with commas between, not '8;16'"),
        ({"model": "cnn", "fine_tune": 2}, "--fine-tune unfreezes blocks of a pretrained network"),
        ({"class_weight": "heavy"}, "--class-weight takes auto or none, not 'heavy'"),
        ({"time": "soon"}, "--time takes hours, minutes and seconds, such as 90s, 30m or 1h30m, not 'soon'"),
        ({"model": "efficientnet-lite9"}, "there is no backbone called efficientnet-lite9; did you mean"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_gets_one_sentence(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as refused:
        options(**asked).training()
    assert str(refused.value).startswith(sentence)


def test_options_kept_in_a_run_folder_come_back_with_that_folder(tmp_path: Path) -> None:
    given = options(data=Path("caf\udce9"), output=Path("runs/x"), val=Path("v"), filters="4,8", model="cnn", time="5m")
    (tmp_path / OPTIONS_NAME).write_text(given.to_json())
    found = Options.read(tmp_path)
    assert (found.data, found.val, found.output) == (given.data.absolute(), Path("v").absolute(), tmp_path)
    assert (found.training(), found.preprocess()) == (given.training(), given.preprocess())


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"data": 3}'])
def test_a_folder_without_options_cannot_be_taken_up_again(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / OPTIONS_NAME).write_text(text)
    with pytest.raises(ModelError, match=r"holds no training to go on with .* start it with clf-train DATA"):
        Options.read(tmp_path)


def test_options_are_plain_json() -> None:
    assert json.loads(options(seed=3).to_json())["seed"] == 3


def test_a_file_of_weights_is_found_again_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.weights.h5").touch()
    monkeypatch.chdir(tmp_path)
    assert json.loads(options(weights="my.weights.h5").to_json())["weights"] == str(tmp_path / "my.weights.h5")
    assert json.loads(options(weights="imagenet").to_json())["weights"] == "imagenet"
