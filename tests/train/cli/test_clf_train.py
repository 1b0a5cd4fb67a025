"""`clf-train`: what it prints to stdout and stderr, what it refuses, and that it overwrites nothing."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from typer.testing import Result

from edgeclf.train.data.run_files import RUN_FILES

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]
TINY = ("--model", "cnn", "--imgsz", "16", "--filters", "4", "--epochs", "1", "--no-augment")
UNWRITABLE = (*TINY, "-o", f"{__file__}/run")
"""The images are found and checked; then the command ends with an error, because the run folder cannot be made."""
FOREIGN = re.compile(r"oneDNN|absl|tf2onnx|XNNPACK|TfLite|[Cc]uda|CUDA|\.cc:|\.py:|INFO|WARN|Warning|[IWE]0000|[Kk]eras/")
"""Found in log lines of TensorFlow, absl, oneDNN, XNNPACK, tf2onnx and in Python's warnings, but not in ours."""


@pytest.fixture(scope="module")
def installed(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run of the installed command, and the folder that it was started in."""
    folder = tmp_path_factory.mktemp("installed")
    line = [Path(sys.executable).with_name("clf-train"), image_folder, *TINY, "--epochs", "2"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300, check=False), folder


Installed = tuple[subprocess.CompletedProcess[str], Path]


@pytest.mark.slow
def test_the_installed_command_prints_the_path_of_the_model(installed: Installed) -> None:
    done, folder = installed
    assert (done.returncode, done.stdout) == (0, "runs/shapes/model.keras\n"), done.stderr
    assert (folder / "runs" / "shapes" / "model.keras").is_file()


@pytest.mark.slow
def test_no_library_writes_to_stderr(installed: Installed) -> None:
    done, _ = installed
    assert [line for line in done.stderr.splitlines() if FOREIGN.search(line)] == []


@pytest.mark.slow
def test_stderr_shows_the_classes_the_counts_and_the_accuracy(installed: Installed) -> None:
    done, folder = installed
    accuracy = json.loads((folder / "runs" / "shapes" / "metrics.json").read_text())["test"]["accuracy"]
    assert "2 classes (disc, square); images: train 48, val 6, test 6" in done.stderr
    assert re.search(r"^disc +3 +\S+ +\S+ +\S+$", done.stderr, re.MULTILINE)
    assert f"test accuracy {accuracy:.1%} (95 % interval " in done.stderr


def test_a_second_run_gets_a_new_folder_and_json_prints_its_metrics(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("runs/data").mkdir(parents=True)
    result = clf_train("data", "--json", *TINY)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == json.loads(Path("runs/data-2/metrics.json").read_text())
    assert os.listdir("runs/data") == []
    assert result.stderr.splitlines()[-1] == "next: clf-export runs/data-2/model.keras"


def test_the_options_of_a_run_alone_repeat_it(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 6, "dog": 6})
    first = clf_train("data", *TINY, "--rotation", "10", "--seed", "3")
    again = clf_train("--config", "runs/data/options.json")
    assert (first.exit_code, again.exit_code) == (0, 0), again.stderr
    assert again.stdout == "runs/data-2/model.keras\n"
    one, other = (
        keras.models.load_model(path.strip(), compile=False).get_weights() for path in (first.stdout, again.stdout)
    )
    assert all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))
    digests = [json.loads(Path(f"runs/{name}/metrics.json").read_text())["data_digest"] for name in ("data", "data-2")]
    assert digests[0] == digests[1]


def test_a_run_has_the_name_that_was_given_and_a_number_if_it_is_taken(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("runs/night").mkdir(parents=True)
    result = clf_train("data", "--name", "night", *TINY)
    assert (result.exit_code, result.stdout) == (0, "runs/night-2/model.keras\n"), result.stderr


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--name", "a/b"], r"--name .*'a/b'.*-o"),
        (["--name", ".."], r"--name .*'\.\.'"),
        (["--name", ""], "--name .*''"),
        (["--name", "a", "-o", "b"], "--name a .*-o runs/a"),
    ],
    ids=["a path", "above", "empty", "two folders"],
)
def test_a_name_that_is_no_folder_is_refused(lay_out: LayOut, clf_train: Invoke, options: list[str], error: str) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train("data", *options, *TINY)
    assert (result.exit_code, result.stdout, Path("runs").exists()) == (2, "", False)
    assert re.search(f"^error: .*{error}", result.stderr, re.MULTILINE)


def test_a_model_that_may_have_learnt_nothing_comes_with_a_warning(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 9, "dog": 3})
    result = clf_train("data", *TINY)
    doubt = r"arning: an accuracy of \S+ \(95 % interval .*\) is not clearly better than always answering (cat|dog): \d"
    last = result.stderr[result.stderr.index("report: ") :]
    assert re.search(doubt, last)
    assert re.search(r"to try: --class-weight auto.*default network.*more images", last)
    page = Path("runs/data/report.html").read_text()
    assert re.search(doubt, page[: page.index('class="cards"')])


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_file_of_someone_else_is_never_overwritten(name: str, lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("here").mkdir()
    Path("here", name).write_text("valuable")
    result = clf_train("data", "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: here/{name} exists already" in result.stderr
    assert [path.read_text() for path in Path("here").iterdir()] == ["valuable"]


def test_an_existing_model_is_never_overwritten(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("here").mkdir()
    Path("here/model.keras").write_text("valuable")
    result = clf_train("data", "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: here already holds a model.keras" in result.stderr
    assert os.listdir("here") == ["model.keras"]
    assert Path("here/model.keras").read_text() == "valuable"


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
    ("options", "error"),
    [
        (["--imgsz", "big"], "--imgsz .* 224 .*'big'"),
        (["--imgsz", "0"], r"image size .* 4096, .*\(0, 0\)"),
        (["--filters", "8;16"], "--filters .*'8;16'"),
        (["--filters", ""], "filters .*positive"),
        (["--dense", "1.5"], "--dense .*'1.5'"),
        (["--dropout", "1"], "dropout .*1.0"),
        (["--epochs", "0"], "epochs must be above 0, not 0"),
        (["--learning-rate", "-1"], "learning-rate must be above 0, not -1.0"),
        (["--resize", "cubic"], "resize .*'cubic'.* pillow-bicubic"),
        (["--fit", "squeeze"], "fit .*'squeeze'.* stretch, crop, pad"),
        (["--filters", "4,4,4,4", "--imgsz", "16"], "4 blocks .* 32 pixels, not 16"),
        (["--seed", "-1"], "seed"),
        (["--model", "no-such-net"], "no-such-net"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_options_are_refused_with_their_value(
    lay_out: LayOut, clf_train: Invoke, options: list[str], error: str
) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train("data", "-o", "here", "--model", "cnn", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(rf"^error: .*{error}.*$", result.stderr, re.MULTILINE)
    assert not Path("here/model.keras").exists()


@pytest.mark.parametrize(
    ("layout", "data", "error"),
    [
        ({}, "missing", "missing .*folder"),
        ({"cat": 3}, "data", r"data .*two class.* \(cat\)"),
        ({"cat": 3, "dog": 0}, "data", "'dog' has no images in train"),
    ],
    ids=["no folder", "one class", "empty class"],
)
def test_data_that_cannot_be_trained_on_is_refused_without_a_run_folder(
    lay_out: LayOut, clf_train: Invoke, layout: dict[str, int], data: str, error: str
) -> None:
    lay_out(layout)
    result = clf_train(data, "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(rf"^error: .*{error}.*$", result.stderr, re.MULTILINE)
    assert not Path("here").exists()


def test_a_run_folder_that_cannot_be_created_is_an_error(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    Path("file").write_text("x")
    result = clf_train("data", "-o", "file/run", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: cannot write file/run: Not a directory" in result.stderr


def test_a_full_disk_is_an_error_and_leaves_no_model(
    lay_out: LayOut, clf_train: Invoke, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    lay_out({"cat": 3, "dog": 3})
    with full_disk(4000):
        result = clf_train("data", "-o", "here", *TINY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: cannot write" in result.stderr
    assert set(os.listdir("here")) <= {"split.csv", "history.csv", "options.json", "checkpoint.npz"}


def test_the_images_of_an_archive_are_kept_for_the_export(lay_out: LayOut, clf_train: Invoke) -> None:
    shutil.make_archive("photos", "zip", lay_out({"cat": 4, "dog": 4}))
    result = clf_train("photos.zip", *TINY)
    assert (result.exit_code, result.stdout) == (0, "runs/photos/model.keras\n"), result.stderr
    assert len(list(Path("runs/photos/images").rglob("*.png"))) == 8


def test_a_csv_file_gives_the_labels(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"a": 4, "b": 4})
    rows = [f"{path.relative_to(root.parent)},{path.parent.name}s" for path in sorted(root.rglob("*.png"))]
    Path("labels.csv").write_text("path,label\n" + "\n".join(rows))
    assert "2 classes (as, bs)" in clf_train("labels.csv", *UNWRITABLE).stderr


def test_a_split_may_be_in_another_folder(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"train/cat": 4, "train/dog": 4, "later/cat": 2, "later/dog": 3})
    (root / "train" / "cat" / "notes.txt").write_text("x")
    assert (
        "images: train 6, val 2, test 5; skipped 1 other file: 1 .txt\n"
        in clf_train("data/train", "--test", "data/later", *UNWRITABLE).stderr
    )


def test_a_test_image_in_another_split_is_refused_unless_allowed(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    shutil.copy(root / "train" / "cat" / "00.png", root / "test" / "cat" / "copy.png")
    refused = clf_train("data", "-o", "here", *TINY)
    assert (refused.exit_code, Path("here").exists()) == (2, False)
    assert re.search(r"error: 1 image .*train and test .*--drop-leaks.*--allow-leakage", refused.stderr)
    allowed = clf_train("data", "--allow-leakage", *UNWRITABLE)
    assert "images: train 6, val 6, test 6" in allowed.stderr
    assert "1 test image left out of the score" in allowed.stderr
    assert "cannot write" in allowed.stderr


def test_dropped_leaks_are_trained_without_and_listed_with_their_copies(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    shutil.copy(root / "test" / "cat" / "00.png", root / "train" / "cat" / "copy.png")
    shutil.copy(root / "val" / "dog" / "01.png", root / "train" / "dog" / "copy.png")
    result = clf_train("data", "-o", "here", "--drop-leaks", *TINY)
    assert result.exit_code == 0, result.stderr
    assert "images: train 6, val 6, test 6" in result.stderr
    assert re.search(r"2 images left out of the training.*val and test", result.stderr)
    rows = list(csv.DictReader(Path("here/split.csv").read_text().splitlines()))
    dropped = [[str(Path(row[name]).relative_to(root)) for name in ("path", "copy_of")] for row in rows if row["copy_of"]]
    assert dropped == [["train/cat/copy.png", "test/cat/00.png"], ["train/dog/copy.png", "val/dog/01.png"]]
    assert Counter(row["part"] for row in rows) == {"train": 6, "val": 6, "test": 6, "dropped": 2}


def test_the_score_counts_no_image_that_was_trained_on(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    shutil.rmtree(root / "test" / "dog")
    shutil.copytree(root / "train" / "dog", root / "test" / "dog")  # nothing is left of one class
    result = clf_train("data", "-o", "here", "--allow-leakage", *TINY)
    assert result.exit_code == 0, result.stderr
    assert "on 3 images used neither for training nor for early stopping" in result.stderr
    metrics = json.loads(Path("here/metrics.json").read_text())
    assert (metrics["test"]["images"], metrics["test"]["by_class"]["dog"]["images"]) == (3, 0)
    assert metrics["left_out"] == {"test": 3, "validation": 0}
    assert re.search(r"images left out, as they are trained on</td><td[^>]*>test 3<", Path("here/report.html").read_text())
    assert "test/dog" not in Path("here/split.csv").read_text()


def test_copies_of_a_file_that_is_not_an_image_are_not_leakage(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")})
    for split in ("train", "test"):
        (root / split / "cat" / "missing.jpg").write_text("<html>404</html>")
    assert "cannot write" in clf_train("data", *UNWRITABLE).stderr


def test_a_preview_shows_the_augmentation_without_training(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 5, "dog": 5})
    result = clf_train("data", *TINY[:6], "--rotation", "30", "--preview-augment", "sheet")
    assert (result.exit_code, result.stdout) == (0, "sheet/augmentation.png\n"), result.stderr
    sheet = cv2.imdecode(np.fromfile("sheet/augmentation.png", np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    assert sheet.shape == (6 * (16 + 4), 8 * (16 + 4), 3)
    assert not np.array_equal(sheet[:16, :16], sheet[:16, 20:36])
    assert sorted(os.listdir()) == ["data", "sheet"]


def test_another_preview_gets_another_name(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 5, "dog": 5})
    Path("sheet").mkdir()
    Path("sheet/augmentation.png").write_text("valuable")
    result = clf_train("data", *TINY, "--preview-augment", "sheet")
    assert (result.exit_code, result.stdout) == (0, "sheet/augmentation-2.png\n"), result.stderr
    assert Path("sheet/augmentation.png").read_text() == "valuable"


def test_a_preview_without_augmentation_repeats_the_images(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 5, "dog": 5})
    clf_train("data", *TINY, "--preview-augment", "sheet")
    sheet = cv2.imdecode(np.fromfile("sheet/augmentation.png", np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    np.testing.assert_array_equal(sheet[:16, :16], sheet[:16, 20:36])


@pytest.mark.parametrize("arguments", [[], ["data", "--resume", "runs/x"]], ids=["neither", "both"])
def test_either_data_or_a_run_to_resume_is_required(lay_out: LayOut, clf_train: Invoke, arguments: list[str]) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(r"error: .*clf-train DATA.*--resume DIR", result.stderr)


def test_a_nan_loss_is_an_error(lay_out: LayOut, clf_train: Invoke) -> None:
    lay_out({"cat": 3, "dog": 3})
    result = clf_train("data", "-o", "here", *TINY, "--lr", "1e38", "--epochs", "3")
    assert (result.exit_code, Path("here/model.keras").exists()) == (2, False)
    assert "error: the loss became infinite or NaN in epoch" in result.stderr


def test_help_is_that_of_clf_train_and_lists_evaluate(clf_train: Invoke) -> None:
    text = clf_train("--help").stdout.strip()
    assert re.match(r"Usage: \S+ \[OPTIONS\] \[data\]", text, re.IGNORECASE)
    assert re.search(r"^Commands:\n +evaluate ", text, re.MULTILINE)
    assert "evaluate" in clf_train("evaluate", "--help").stdout


def test_images_that_look_alike_in_two_splits_are_shown_as_pairs(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val", "test") for label in ("cat", "dog")}, 40, 48)
    again = cv2.imdecode(np.fromfile(root / "train/cat/00.png", np.uint8), cv2.IMREAD_COLOR)
    assert again is not None
    (root / "test/cat/again.png").write_bytes(bytes(cv2.imencode(".png", cv2.convertScaleAbs(again, alpha=0.95))[1]))
    result = clf_train("data", *TINY, "--imgsz", "40x32")
    assert "1 pair of images looks alike across the splits" in result.stderr
    assert re.search(r"^  train/cat/00.png ~ test/cat/again.png$", result.stderr, re.MULTILINE)


def test_findings_that_need_no_reading_are_reported_before_training(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"cat": 6, "dog": 6})
    shutil.copy(root / "cat" / "00.png", root / "dog" / "the-same.png")
    result = clf_train("data", *UNWRITABLE)
    assert re.search(r"1 x label_noise .*clf-check data", result.stderr)


def test_images_without_a_group_are_counted(lay_out: LayOut, clf_train: Invoke) -> None:
    root = lay_out({"cat": 6, "dog": 6})
    for path in sorted(root.rglob("0[0-3].png")):
        path.rename(path.with_name(f"scene{path.stem}-{path.name}"))
    result = clf_train("data", "--split-by", r"scene\d+", *UNWRITABLE)
    assert "4 images without a group of --split-by" in result.stderr
