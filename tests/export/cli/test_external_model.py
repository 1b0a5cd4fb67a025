"""`clf-export` for models without a card: the flags that describe them, and the errors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from typer.testing import Result

from edgeclf.export.cli.clf_export import app
from edgeclf.export.targets import DEFAULTS, TARGETS
from edgeclf.runtime.model.classifier import Classifier
from edgeclf.train.data.arrays import load
from edgeclf.train.data.dataset import as_split, find, labelled

Invoke = Callable[..., Result]
CLASSES = ("disc", "square")


@pytest.fixture
def clf_export(in_process: Callable[..., Invoke]) -> Invoke:
    return in_process(app)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("disc\nsquare\n")
    return tmp_path / "labels.txt"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A model that takes pixels from 0 to 1 and ends in logits."""
    keras.utils.set_random_seed(1)
    body = [layers.Conv2D(8, 5, strides=3, activation="relu"), layers.GlobalMaxPooling2D(), layers.Dense(2)]
    keras.Sequential([keras.Input((30, 40, 3)), *body]).save(tmp_path / "mine.keras")
    return tmp_path / "mine.keras"


def test_a_model_without_a_card_answers_like_the_code_of_its_owner(
    clf_export: Invoke, mine: Path, labels: Path, image_folder: Path
) -> None:
    result = clf_export(mine, "--classes", labels, "--scale", "1/255", "--data", image_folder, "--quantize", "fp32")
    assert result.exit_code == 0, result.stderr
    network = keras.models.load_model(mine, compile=False)
    for path in result.stdout.splitlines():
        classifier = Classifier.open(path)
        assert classifier.card.preprocess.resize == "bilinear"
        found = labelled(find(image_folder)["train"], CLASSES, image_folder)
        images = load(as_split(found), classifier.card.preprocess, "images").images
        scores = network.predict_on_batch(images.astype(np.float32) / 255)
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(classifier.probabilities(images), expected, atol=1e-5)


def test_labels_may_be_json(clf_export: Invoke, mine: Path, image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(CLASSES))
    result = clf_export(mine, "--classes", tmp_path / "labels.json", "--data", image_folder, "--format", "onnx")
    assert result.exit_code == 0, result.stderr
    assert Classifier.open(tmp_path / "mine.onnx").card.classes == CLASSES


@pytest.mark.parametrize("options", [[], ["--quantize", "fp32,int8"]], ids=["by default", "asked for"])
def test_int8_that_fails_is_left_out_unless_it_was_asked_for(
    clf_export: Invoke, mine: Path, labels: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    onnx, int8 = (target for target in TARGETS if (target.format, target.precision) in DEFAULTS)
    monkeypatch.setattr("edgeclf.export.targets.TARGETS", (onnx, replace(int8, convert=lambda _: b"not a model")))
    result = clf_export(mine, "--classes", labels, "--scale", "1/255", "--data", image_folder, *options)
    asked = bool(options)
    assert result.exit_code == (3 if asked else 0), result.stderr
    assert (mine.with_name("mine.onnx").exists(), "warning: mine.int8.tflite failed" in result.stderr) == (
        not asked,
        not asked,
    )
    assert not mine.with_name("mine.int8.tflite").exists()


ERRORS = {
    "no images either": ([], "--data DIR"),
    "too few labels": (["--classes", "one.txt"], "one.txt names 1 class,"),
    "too many labels": (["--classes", "three.txt"], "3"),
    "no such labels": (["--classes", "none.txt"], "none.txt"),
    "no images": (["--classes", "labels.txt"], "--data DIR"),
    "unknown scale": (["--classes", "labels.txt", "--scale", "2"], "--scale cannot be '2'"),
    "unknown resize": (
        ["--classes", "labels.txt", "--resize", "lanczos"],
        "resize cannot be 'lanczos'; did you mean pillow-lanczos",
    ),
    "unknown head": (["--classes", "labels.txt", "--head", "tree"], "--head cannot be 'tree'"),
    "wrong head": (["--classes", "labels.txt", "--head", "sigmoid"], "sigmoid"),
    "wrong size": (["--classes", "labels.txt", "--imgsz", "64"], "64"),
    "flags without images": (["--scale", "1/255"], "--data DIR"),
    "all and some": (["--classes", "labels.txt", "--all", "--format", "onnx"], "--all means every format"),
    "opset": (["--classes", "labels.txt", "--data", "shapes", "--opset", "9"], "opset must be from 13 to 18, not 9"),
}


@pytest.mark.parametrize(("options", "keyword"), ERRORS.values(), ids=ERRORS)
def test_options_that_do_not_fit_are_a_one_line_error(
    clf_export: Invoke, mine: Path, labels: Path, image_folder: Path, tmp_path: Path, options: list[str], keyword: str
) -> None:
    (tmp_path / "one.txt").write_text("disc\n")
    (tmp_path / "three.txt").write_text("disc\nsquare\nstar\n")
    (tmp_path / "shapes").symlink_to(image_folder)
    before = sorted(tmp_path.iterdir())
    result = clf_export(mine, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert keyword in errors[0]
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_with_a_card_takes_no_labels(clf_export: Invoke, run_folder: Path, labels: Path) -> None:
    result = clf_export(run_folder / "model.keras", "--classes", labels, "-o", "edge")
    assert result.exit_code == 2
    assert "leave out --classes" in result.stderr


def test_the_h5_format_is_read(clf_export: Invoke, mine: Path, labels: Path, image_folder: Path) -> None:
    old = mine.with_suffix(".h5")
    keras.models.load_model(mine).save(old)
    result = clf_export(old, "--classes", labels, "--data", image_folder, "--format", "onnx")
    assert result.exit_code == 0, result.stderr


def test_a_saved_model_folder_is_exported_under_its_name(
    clf_export: Invoke, mine: Path, labels: Path, image_folder: Path
) -> None:
    saved = mine.with_name("saved.v2")
    keras.models.load_model(mine).export(saved, verbose=False)
    result = clf_export(saved, "--classes", labels, "--data", image_folder, "--format", "onnx")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1].endswith("saved.v2.onnx")


def test_a_custom_class_is_named_with_a_way_out(
    clf_export: Invoke, labels: Path, image_folder: Path, tmp_path: Path
) -> None:
    class Mine(keras.Model):  # type: ignore[misc]
        def call(self, image: keras.KerasTensor) -> keras.KerasTensor:
            return image

    network = Mine()
    network(np.zeros((1, 8, 8, 3), np.float32))
    network.save(tmp_path / "own.keras")
    result = clf_export(tmp_path / "own.keras", "--classes", labels, "--data", image_folder)
    assert result.exit_code == 2
    assert "class Mine" in result.stderr
    assert "export_network" in result.stderr
