"""A run can be read and repeated: every value is written down, and a file of options makes the same training."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.runtime.errors import OptionError
from edgeclf.train.cli.clf_train import app
from edgeclf.train.config import configure
from edgeclf.train.config_file import read_config, to_toml
from edgeclf.train.options import AugmentationOptions, NetworkOptions, SplitOptions, TrainingOptions, TrainOptions
from edgeclf.train.recipes import PRESETS
from edgeclf.train.resolved import made_with, resolve

Invoke = Callable[..., Result]
USUAL = TrainOptions(Path("photos"))
TRAININGS = {
    "usual": USUAL,
    **{name: replace(USUAL, network=NetworkOptions(recipe=name)) for name in PRESETS},
    "cnn": replace(USUAL, network=NetworkOptions(model="cnn", filters="8,16", dense="4", grey=True, imgsz="40x32")),
    "no augmentation": replace(USUAL, augmentation=AugmentationOptions(augment=False, translate=0.1)),
    "by hand": replace(
        USUAL,
        network=NetworkOptions(model="MobileNetV2", weights="none", dropout=0.1),
        training=TrainingOptions(epochs=3, learning_rate=1e-4, fine_tune=0, time="90s", seed=7),
        splits=SplitOptions(split="0.6,0.2,0.2"),
    ),
}


@pytest.fixture
def clf_train(in_process: Callable[..., Invoke]) -> Invoke:
    return in_process(app)


@pytest.mark.parametrize("options", TRAININGS.values(), ids=TRAININGS)
def test_resolved_options_describe_the_same_training(options: TrainOptions) -> None:
    assert configure(resolve(options, configure(options))) == configure(options)


def test_nothing_that_matters_is_left_to_defaults() -> None:
    values = json.loads(resolve(USUAL, configure(USUAL)).to_json(made_with()))
    chosen = {"val", "test", "limit", "recipe", "filters", "dense", "time", "translate", "output", "name"}
    chosen |= {"teacher", "unlabelled", "folds", "corrections"}
    assert {name for name, value in values.items() if value is None} == chosen
    assert (values["model"], values["imgsz"], values["learning_rate"]) == ("efficientnet-lite0", "256", 0.0002)
    assert {"command", "edgeclf", "keras", "tensorflow"} <= set(values["made_with"])


@pytest.mark.parametrize("options", TRAININGS.values(), ids=TRAININGS)
def test_the_shown_options_are_a_file_that_makes_the_same_training(
    options: TrainOptions, clf_train: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text(to_toml(resolve(options, configure(options))))
    shown = clf_train("--config", tmp_path / "run.toml", "--show-config")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == (tmp_path / "run.toml").read_text()


def test_the_options_of_a_run_are_a_file_too_and_flags_go_first(clf_train: Invoke, tmp_path: Path) -> None:
    options = replace(resolve(TRAININGS["by hand"], configure(TRAININGS["by hand"])), output=tmp_path / "run")
    (tmp_path / "options.json").write_text(options.to_json(made_with()))
    shown = clf_train("--config", tmp_path / "options.json", "--show-config", "--epochs", "5")
    assert shown.stdout == to_toml(options).replace("epochs = 3", "epochs = 5")
    assert "output" not in read_config(tmp_path / "options.json")


def test_bare_minutes_are_written_as_seconds_and_said_once(clf_train: Invoke) -> None:
    shown = clf_train("photos", "--time", "20", "--show-config")
    assert 'time = "1200s"' in shown.stdout
    assert shown.stderr.count("20 minutes") == 1


def test_tables_only_group_options_and_lists_are_values_with_commas(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('data = "photos"\n[network]\nfilters = [8, 16]\n[training]\nlearning-rate = 1e-3\n')
    assert read_config(tmp_path / "run.toml") == {"data": "photos", "filters": "8,16", "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("epoch = 3", "did you mean epochs"),
        ("epochs = ", "is not TOML"),
        ("[training.epochs]\nmost = 3", "sets epochs to a table"),
    ],
    ids=["unknown", "damaged", "nested"],
)
def test_a_file_that_does_not_fit_is_one_sentence(text: str, keyword: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(OptionError, match=keyword):
        read_config(tmp_path / "run.toml")


@pytest.mark.parametrize(
    ("text", "keyword"), [('epochs = "ten"', "--epochs takes a whole number"), ("limit = 0", "--limit")]
)
def test_a_wrong_value_in_a_file_is_reported_like_one_that_was_typed(
    clf_train: Invoke, tmp_path: Path, text: str, keyword: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    result = clf_train("photos", "--config", tmp_path / "run.toml")
    assert result.exit_code == 2
    assert keyword in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"absent\.toml: No such file"):
        read_config(tmp_path / "absent.toml")
