"""`clf-train evaluate`: one model in every format, measured on a folder of labelled images."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from typer.testing import Result

from edgeclf.runtime.model.classifier import Classifier

Invoke = Callable[..., Result]


@pytest.fixture
def clf_evaluate(clf_train: Invoke) -> Invoke:
    """`clf_evaluate("model.onnx", "photos")`."""
    return lambda *arguments: clf_train("evaluate", *arguments)


@pytest.fixture(scope="module")
def splits(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 6 discs and 4 squares for testing, and one of each for validation."""
    root = tmp_path_factory.mktemp("splits") / "shapes"
    for split, label, first, count in (
        ("test", "disc", 0, 6),
        ("test", "square", 0, 4),
        ("val", "disc", 6, 1),
        ("val", "square", 6, 1),
    ):
        (root / split / label).mkdir(parents=True)
        for number in range(first, first + count):
            shutil.copy(image_folder / label / f"{label}{number:03}.png", root / split / label)
    return root


def confusion_by_hand(model: Path, folder: Path) -> list[list[int]]:
    """The confusion matrix of predictions for one file at a time."""
    classifier = Classifier.open(model)
    counts = Counter((path.parent.name, classifier.predict(path).label) for path in folder.rglob("*.png"))
    return [[counts[truth, predicted] for predicted in ("disc", "square")] for truth in ("disc", "square")]


@pytest.mark.parametrize("name", ["model.keras", "model.onnx", "model.fp16.tflite", "model.int8.tflite"])
def test_every_format_is_measured_by_its_own_predictions(
    clf_evaluate: Invoke, run_folder: Path, splits: Path, name: str
) -> None:
    result = clf_evaluate(run_folder / name, splits, "--json")
    assert result.exit_code == 0, result.stderr
    measured = json.loads(result.stdout)
    artefact = name.replace(".keras", ".onnx")
    assert (measured["images"], measured["part"]) == (10, "test")
    assert measured["confusion"] == confusion_by_hand(run_folder / artefact, splits / "test")


def test_the_table_goes_to_stderr_and_stdout_stays_empty(clf_evaluate: Invoke, onnx_model: Path, splits: Path) -> None:
    result = clf_evaluate(onnx_model, splits)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "recall  precision" in result.stderr
    assert re.search(rf"on 10 images in {splits} \(test\); .*most frequent class: 60.0%", result.stderr)


def test_another_split_can_be_chosen(clf_evaluate: Invoke, onnx_model: Path, splits: Path) -> None:
    measured = json.loads(clf_evaluate(onnx_model, splits, "--split", "val", "--json").stdout)
    assert (measured["part"], measured["images"]) == ("val", 2)


def test_a_folder_without_splits_is_used_whole_and_training_images_are_counted(
    clf_evaluate: Invoke, onnx_model: Path, image_folder: Path
) -> None:
    result = clf_evaluate(onnx_model, image_folder, "--json")
    measured = json.loads(result.stdout)
    assert (measured["part"], measured["images"], measured["trained_on"]) == ("all", 60, 54)
    assert f"on 60 images in {image_folder} (all), 54 of which" in result.stderr


def test_classes_are_matched_by_name_and_not_by_order(
    clf_evaluate: Invoke, onnx_model: Path, splits: Path, tmp_path: Path
) -> None:
    shutil.copytree(splits / "test" / "square", tmp_path / "data" / "square")
    measured = json.loads(clf_evaluate(onnx_model, "data", "--json").stdout)
    assert measured["confusion"] == [[0, 0], confusion_by_hand(onnx_model, tmp_path / "data")[1]]
    assert measured["by_class"]["disc"]["images"] == 0


def test_unreadable_images_are_listed_and_the_exit_code_is_1(
    clf_evaluate: Invoke, onnx_model: Path, splits: Path, tmp_path: Path
) -> None:
    shutil.copytree(splits / "test", tmp_path / "data")
    (tmp_path / "data" / "disc" / "bad\n.png").write_bytes(b"")
    result = clf_evaluate(onnx_model, "data", "--json")
    assert result.exit_code == 1
    assert r"data/disc/bad\n.png: " in result.stderr
    assert "skipped 1 unreadable image\n" in result.stderr
    assert [(row["path"], row["error"]) for row in json.loads(result.stdout)["failures"]] == [
        ("data/disc/bad\n.png", "empty")
    ]
    assert json.loads(result.stdout)["images"] == 10


def test_a_report_is_written_with_its_figures(clf_evaluate: Invoke, onnx_model: Path, splits: Path, tmp_path: Path) -> None:
    result = clf_evaluate(onnx_model, splits, "--report", "out")
    assert (result.exit_code, result.stdout) == (0, "")
    text = (tmp_path / "out" / "report.html").read_text()
    assert "<title>shapes</title>" in text
    assert "Accuracy " in text
    assert "used neither for training" not in text
    assert {"report.html", "confusion.png", "calibration.png", "roc.png"} <= {path.name for path in Path("out").iterdir()}


@pytest.mark.parametrize("name", ["report.html", "samples.png"])
def test_an_existing_report_is_never_overwritten(
    name: str, clf_evaluate: Invoke, onnx_model: Path, splits: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("existing")
    result = clf_evaluate(onnx_model, splits, "--report", ".")
    assert result.exit_code == 2
    assert re.search(rf"error: \. already holds a {name}; .*--report", result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["missing"], "missing .*folder"),
        (["splits", "--split", "train"], "splits has no train split; .*--split.* test, val"),
        (["splits", "--split", "dev"], "--split cannot be 'dev'; choose from train, val, test"),
        (["plain", "--split", "test"], "plain has no test split"),
        (["empty"], "empty holds no images"),
        (["stranger"], r"stranger .*'triangle'.*\(disc, square\)"),
    ],
    ids=" ".join,
)
def test_a_folder_that_cannot_be_used_is_refused(
    clf_evaluate: Invoke, onnx_model: Path, splits: Path, tmp_path: Path, arguments: list[str], error: str
) -> None:
    shutil.copytree(splits, tmp_path / "splits")
    shutil.copytree(splits / "val", tmp_path / "plain")
    shutil.copytree(splits / "val", tmp_path / "stranger")
    (tmp_path / "stranger" / "triangle").mkdir()
    (tmp_path / "empty" / "disc").mkdir(parents=True)
    result = clf_evaluate(onnx_model, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(rf"^error: .*{error}", result.stderr, re.MULTILINE)


def test_a_device_is_refused_for_a_keras_model(clf_evaluate: Invoke, run_folder: Path, splits: Path) -> None:
    result = clf_evaluate(run_folder / "model.keras", splits, "--device", "cpu")
    assert result.exit_code == 2
    assert "error: --device is for exported models" in result.stderr


def test_a_file_that_is_not_a_model_is_refused(clf_evaluate: Invoke, splits: Path, tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("x")
    result = clf_evaluate("model.txt", splits)
    assert result.exit_code == 2
    assert "error: model.txt is not a .onnx or .tflite file" in result.stderr


def test_a_keras_model_without_a_card_is_refused_with_advice(clf_evaluate: Invoke, splits: Path, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]).save(tmp_path / "own.keras")
    result = clf_evaluate("own.keras", splits)
    assert result.exit_code == 2
    assert re.search(r"error: own\.keras .*card.*clf-export own\.keras --classes labels\.txt", result.stderr)


@pytest.mark.slow
def test_an_exported_model_needs_no_tensorflow(onnx_model: Path, splits: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edgeclf.train.cli.evaluate import measure;"
        f"measure(Path({str(onnx_model)!r}), Path({str(splits)!r})); print({{'keras', 'tensorflow'}} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_images_may_be_in_an_archive(image_folder: Path, onnx_model: Path, clf_evaluate: Invoke) -> None:
    shutil.make_archive("shapes", "zip", image_folder)
    packed, plain = (json.loads(clf_evaluate(onnx_model, data, "--json").stdout) for data in ("shapes.zip", image_folder))
    assert (packed["accuracy"], packed["images"]) == (plain["accuracy"], 60)


def test_folders_that_are_passed_over_or_in_doubt_are_said(
    image_folder: Path, onnx_model: Path, clf_evaluate: Invoke, tmp_path: Path
) -> None:
    for label in ("disc", "square"):
        shutil.copytree(image_folder / label, tmp_path / "data" / label, copy_function=os.symlink)
    (tmp_path / "data" / "@eaDir").mkdir()
    shutil.copy(image_folder / "disc" / "disc000.png", tmp_path / "data")
    result = clf_evaluate(onnx_model, "data", "--json")
    assert "passed over, as no class: @eaDir\n" in result.stderr
    assert "1 image beside the folders is not used\n" in result.stderr
    assert json.loads(result.stdout)["images"] == 60
