"""`clf-train`: what it prints where, what it refuses, and what it never overwrites."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import Result

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]
TINY = ("--model", "cnn", "--imgsz", "16", "--filters", "4", "--epochs", "1", "--no-augment")
FOREIGN = re.compile(r"oneDNN|absl|tf2onnx|XNNPACK|TfLite|[Cc]uda|CUDA|\.cc:|\.py:|INFO|WARN|Warning|[IWE]0000|[Kk]eras/")
"""What lines of TensorFlow, absl, oneDNN, XNNPACK, tf2onnx and of Python's warnings hold, and ours do not."""


@pytest.fixture(scope="module")
def real(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run of the installed command as a user would start it, and the folder that it was started in."""
    folder = tmp_path_factory.mktemp("real")
    line = [Path(sys.executable).with_name("clf-train"), image_folder, *TINY, "--epochs", "2"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300, check=False), folder


Real = tuple[subprocess.CompletedProcess[str], Path]


def test_the_real_command_ends_well(real: Real) -> None:
    done, folder = real
    assert (done.returncode, done.stdout) == (0, "runs/shapes/model.keras\n"), done.stderr
    assert (folder / "runs" / "shapes" / "model.keras").is_file()


def test_no_library_writes_to_stderr(real: Real) -> None:
    done, _ = real
    assert [line for line in done.stderr.splitlines() if FOREIGN.search(line)] == []


def test_stderr_shows_the_classes_the_counts_and_the_accuracy(real: Real) -> None:
    done, folder = real
    accuracy = json.loads((folder / "runs" / "shapes" / "metrics.json").read_text())["test"]["accuracy"]
    assert "2 classes (disc, square); images: train 48, val 6, test 6" in done.stderr
    assert re.search(r"^disc +3 +\S+ +\S+ +\S+$", done.stderr, re.MULTILINE)
    assert f"test accuracy {accuracy:.1%} (95 % interval " in done.stderr


def test_a_second_run_gets_a_folder_of_its_own(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("runs/data").mkdir(parents=True)
    result = clf_train("data", *TINY)
    assert (result.exit_code, result.stdout) == (0, "runs/data-2/model.keras\n")
    assert os.listdir("runs/data") == []


def test_json_gives_the_metrics_on_stdout(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train("data", "-o", "here", "--json", *TINY)
    assert json.loads(result.stdout) == json.loads(Path("here/metrics.json").read_text())


def test_an_existing_model_is_never_overwritten(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("here").mkdir()
    Path("here/model.keras").write_text("a night's work")
    result = clf_train("data", "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: here already holds a model.keras; choose another folder" in result.stderr
    assert os.listdir("here") == ["model.keras"]
    assert Path("here/model.keras").read_text() == "a night's work"


def test_options_reach_the_model(lay_out: LayOut, clf_train: Invoke) -> None:
    import keras

    from edgeclf.runtime.images.preprocess import Preprocess
    from edgeclf.runtime.model.card import ModelCard, read_zip_card
    from edgeclf.train.keras_file.samples import read_samples

    lay_out({"cat": 4, "dog": 4})
    options = ("--imgsz", "40x24", "--grey", "--resize", "area", "--fit", "pad", "--filters", "4,6", "--dense", "5")
    result = clf_train(
        "data", "-o", "here", "--model", "cnn", "--epochs", "1", "--seed", "9", "--no-embed-samples", *options
    )
    assert result.exit_code == 0, result.stderr
    card = ModelCard.from_json(read_zip_card(Path("here/model.keras")) or "")
    layers = keras.models.load_model("here/model.keras").layers
    assert (card.preprocess, card.head) == (Preprocess((24, 40), 1, "area", "pad"), "sigmoid")
    assert card.training["seed"] == 9
    assert [layer.filters for layer in layers if hasattr(layer, "filters")] == [4, 6]
    assert [layer.units for layer in layers if hasattr(layer, "units")] == [5, 1]
    assert len(read_samples(Path("here/model.keras"), "verification", card.preprocess)) == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--imgsz", "big"], "--imgsz takes a size in pixels such as 224 or 320x240 (width x height), not 'big'"),
        (["--imgsz", "0"], "image size must be two whole numbers from 1 to 4096, not (0, 0)"),
        (["--filters", "8;16"], "--filters takes whole numbers with commas between, not '8;16'"),
        (["--filters", ""], "filters and dense take positive whole numbers"),
        (["--dense", "1.5"], "--dense takes whole numbers with commas between, not '1.5'"),
        (["--dropout", "1"], "dropout must be from 0 to under 1, not 1.0"),
        (["--epochs", "0"], "epochs must be above 0, not 0"),
        (["--learning-rate", "-1"], "learning-rate must be above 0, not -1.0"),
        (["--resize", "cubic"], "resize must be one of shrink, bilinear, nearest, area, not 'cubic'"),
        (["--fit", "squeeze"], "fit must be one of stretch, crop, pad, not 'squeeze'"),
        (["--filters", "4,4,4,4", "--imgsz", "16"], "4 blocks need images of at least 32 pixels, not 16"),
        (["--seed", "-1"], "seed"),
        (["--model", "no-such-net"], "there is no backbone called no-such-net"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be_used_get_one_sentence(
    lay_out: LayOut, clf_train: Invoke, options: list[str], sentence: str
) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train("data", "-o", "here", "--model", "cnn", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: {sentence}" in result.stderr
    assert not Path("here/model.keras").exists()


@pytest.mark.parametrize(
    ("layout", "data", "sentence"),
    [
        ({}, "missing", "missing is no folder; name one with one sub-folder per class, or a CSV file"),
        ({"cat": 3}, "data", "data has fewer than two class folders to train on (cat)"),
        ({"cat": 3, "dog": 0}, "data", "class 'dog' has no images in train"),
    ],
    ids=["no folder", "one class", "empty class"],
)
def test_a_folder_that_cannot_be_trained_on_gets_one_sentence_and_no_run_folder(
    lay_out: LayOut, clf_train: Invoke, layout: dict[str, int], data: str, sentence: str
) -> None:
    lay_out(layout)
    result = clf_train(data, "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: {sentence}" in result.stderr
    assert not Path("here").exists()


def test_a_run_folder_that_cannot_be_made_gets_one_sentence(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("file").write_text("x")
    result = clf_train("data", "-o", "file/run", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: cannot write file/run: Not a directory" in result.stderr


def test_a_full_disk_gets_one_sentence_and_leaves_no_model(
    lay_out: LayOut, clf_train: Invoke, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    lay_out({"cat": 3, "dog": 3})
    with full_disk(4000):
        result = clf_train("data", "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: cannot write" in result.stderr
    assert set(os.listdir("here")) <= {"split.csv", "history.csv", "options.json", "checkpoint.npz"}


def test_an_archive_is_trained_on_and_its_images_stay_for_the_exporter(lay_out: LayOut, clf_train: Invoke) -> None:
    shutil.make_archive("photos", "zip", lay_out({"cat": 4, "dog": 4}))
    result = clf_train("photos.zip", *TINY)
    assert (result.exit_code, result.stdout) == (0, "runs/photos/model.keras\n"), result.stderr
    assert len(list(Path("runs/photos/images").rglob("*.png"))) == 8


def test_a_csv_file_says_what_is_what(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"a": 4, "b": 4})
    rows = [f"{path.relative_to(root.parent)},{path.parent.name}s" for path in sorted(root.rglob("*.png"))]
    Path("labels.csv").write_text("path,label\n" + "\n".join(rows))
    result = clf_train("labels.csv", *TINY)
    assert result.exit_code == 0, result.stderr
    assert "2 classes (as, bs)" in result.stderr


def test_parts_may_lie_elsewhere(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"train/cat": 4, "train/dog": 4, "later/cat": 2, "later/dog": 3})
    result = clf_train("data/train", "--test", "data/later", "--json", *TINY)
    assert json.loads(result.stdout)["test"]["images"] == 5


def test_a_test_image_among_the_others_is_refused_unless_told_otherwise(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    shutil.copy(root / "train" / "cat" / "00.png", root / "test" / "cat" / "copy.png")
    refused = clf_train("data", "-o", "here", *TINY)
    assert (refused.exit_code, Path("here").exists()) == (2, False)
    assert "error: 1 image is in both train and test (first: " in refused.stderr
    assert "or pass --allow-leakage" in refused.stderr
    assert clf_train("data", "-o", "here", "--allow-leakage", *TINY).exit_code == 0


def test_two_copies_of_what_is_no_image_are_no_leakage(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    for split in ("train", "test"):
        (root / split / "cat" / "missing.jpg").write_text("<html>404</html>")
    assert clf_train("data", *TINY).exit_code == 0


def test_a_preview_shows_the_augmentation_and_trains_nothing(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 5, "dog": 5})
    result = clf_train("data", *TINY[:4], "--rotation", "30", "--preview-augment", "sheet")
    assert (result.exit_code, result.stdout) == (0, "sheet/augmentation.png\n"), result.stderr
    sheet = cv2.imdecode(np.fromfile("sheet/augmentation.png", np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    assert sheet.shape == (6 * (16 + 4), 8 * (16 + 4), 3)
    assert not np.array_equal(sheet[:16, :16], sheet[:16, 20:36])
    assert sorted(os.listdir()) == ["data", "sheet"]


def test_a_sheet_without_augmentation_repeats_the_images(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 5, "dog": 5})
    clf_train("data", *TINY, "--preview-augment", "sheet")
    sheet = cv2.imdecode(np.fromfile("sheet/augmentation.png", np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    np.testing.assert_array_equal(sheet[:16, :16], sheet[:16, 20:36])


@pytest.mark.parametrize("arguments", [[], ["data", "--resume", "runs/x"]], ids=["neither", "both"])
def test_data_or_a_run_to_resume_and_not_both(lay_out: LayOut, clf_train: Invoke, arguments: list[str]) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: name the images to train on, or the run to go on with: clf-train DATA, or --resume DIR" in result.stderr


def test_a_loss_that_is_no_number_is_an_error_with_a_way_out(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train("data", "-o", "here", *TINY, "--lr", "1e38", "--epochs", "3")
    assert (result.exit_code, Path("here/model.keras").exists()) == (2, False)
    assert "error: the loss became infinite or NaN in epoch" in result.stderr


def test_help_speaks_of_clf_train_and_not_of_a_sub_command(clf_train: Invoke) -> None:
    assert re.match(r"Usage: \S+ \[OPTIONS\] \[data\]", clf_train("--help").stdout.strip(), re.IGNORECASE)
    assert "evaluate" in clf_train("evaluate", "--help").stdout


def test_what_the_doctor_sees_at_a_glance_is_said_before_training(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"cat": 6, "dog": 6})
    shutil.copy(root / "cat" / "00.png", root / "dog" / "the-same.png")
    result = clf_train("data", *TINY)
    assert result.exit_code == 0, result.stderr
    assert "1 x label_noise in data; clf-check data names them" in result.stderr


def test_images_that_fit_no_group_are_counted(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"cat": 6, "dog": 6})
    for path in sorted(root.rglob("0[0-3].png")):
        path.rename(path.with_name(f"scene{path.stem}-{path.name}"))
    result = clf_train("data", "--split-by", r"scene\d+", *TINY)
    assert result.exit_code == 0, result.stderr
    assert "4 images fit no group of --split-by" in result.stderr
