"""The options of a training run as a file, so that the run can be resumed."""

import json
from pathlib import Path

import pytest

from edgeclf.runtime.errors import ModelError
from edgeclf.train.options import OPTIONS_NAME, NetworkOptions, SplitOptions, TrainingOptions, TrainOptions
from edgeclf.train.teaching_options import TeachingOptions

FLAGS = {
    "data", "output", "model", "recipe", "weights", "imgsz", "grey", "resize", "fit", "ground", "filters", "dense",
    "dropout", "split", "split_by", "val", "test", "limit", "allow_leakage", "follow_links", "label_from",
    "class_weight", "epochs", "batch", "optimizer", "learning_rate", "schedule", "patience", "fine_tune", "time",
    "mixed_precision", "seed", "augment", "rotation", "width_shift", "height_shift", "translate", "shear", "zoom",
    "horizontal_flip", "vertical_flip", "brightness", "contrast", "fill_mode", "embed_samples", "name", "drop_leaks",
    "teacher", "unlabelled", "folds", "corrections",
}  # fmt: skip


def test_options_in_a_run_folder_are_read_again_with_that_folder_as_output(tmp_path: Path) -> None:
    given = TrainOptions(
        data=Path("caf\udce9").absolute(),
        splits=SplitOptions(val=Path("v").absolute(), limit=9),
        network=NetworkOptions(model="cnn", filters="4,8", grey=True),
        training=TrainingOptions(time="5m", seed=3),
        teaching=TeachingOptions(teacher=Path("t").absolute(), unlabelled=Path("u").absolute()),
        output=tmp_path,
        embed_samples=False,
    )
    (tmp_path / OPTIONS_NAME).write_text(given.to_json())
    assert TrainOptions.read(tmp_path) == given


def test_relative_paths_become_absolute() -> None:
    options = TrainOptions(Path("photos"), SplitOptions(val=Path("v"), test=Path("t")), output=Path("runs/x"))
    written = json.loads(options.to_json())
    assert [written[name] for name in ("data", "val", "test", "output")] == [
        str(Path(name).absolute()) for name in ("photos", "v", "t", "runs/x")
    ]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"data": 3}'])
def test_a_folder_without_options_cannot_be_resumed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / OPTIONS_NAME).write_text(text)
    with pytest.raises(ModelError, match=r"no training to resume .* clf-train DATA"):
        TrainOptions.read(tmp_path)


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_file_with_other_options_is_refused_by_name(tmp_path: Path, change: str) -> None:
    values = json.loads(TrainOptions(Path("photos")).to_json())
    values = values | {"colour": 1} if change == "unknown" else {name: values[name] for name in values if name != "seed"}
    (tmp_path / OPTIONS_NAME).write_text(json.dumps(values))
    with pytest.raises(ModelError, match="'colour'" if change == "unknown" else "'seed'"):
        TrainOptions.read(tmp_path)


def test_the_file_is_flat_json_with_one_value_per_flag() -> None:
    values = json.loads(TrainOptions(Path("photos"), training=TrainingOptions(seed=3)).to_json())
    assert set(values) == FLAGS
    assert (values["seed"], values["resize"], values["augment"], values["epochs"]) == (3, "shrink", True, None)


def test_a_file_of_weights_is_found_again_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.weights.h5").touch()
    monkeypatch.chdir(tmp_path)
    for weights, expected in (("my.weights.h5", str(tmp_path / "my.weights.h5")), ("imagenet", "imagenet")):
        written = TrainOptions(Path("photos"), network=NetworkOptions(weights=weights)).to_json()
        assert json.loads(written)["weights"] == expected
