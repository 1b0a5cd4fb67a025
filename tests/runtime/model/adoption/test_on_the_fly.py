"""`clf-run` on a model from another tool as it is: everything works that works with an exported file."""

import csv
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import Result

from edgeclf.runtime import Classifier
from edgeclf.runtime.cli.clf_run import app
from edgeclf.runtime.errors import EdgeclfError, ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.adoption.on_the_fly import adopt_in_memory
from edgeclf.runtime.model.conventions.facts import NOTHING
from edgeclf.runtime.model.description import ModelDescription
from tests.support.colour_onnx import COLOURS, colour_onnx, write_colours
from tests.support.foreign_onnx import own_scores, softmax
from tests.support.foreign_tflite import Foreign, with_metadata
from tests.support.onnx_properties import geti_properties, ultralytics_properties
from tests.support.video_files import noise, write_video

Invoke = Callable[..., Result]
ULTRALYTICS = ultralytics_properties(COLOURS)
GETI = geti_properties(COLOURS)
FILES = {
    "ultralytics.onnx": lambda: colour_onnx(std=255, properties=ULTRALYTICS),
    "geti.onnx": lambda: colour_onnx(mean=114, std=57, properties=GETI),
    "metadata.tflite": lambda: with_metadata(Foreign().to_bytes(), [127.5], [127.5], b"red\ngreen\nblue\n"),
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_colours(tmp_path / "photos", count=2)


@pytest.fixture
def clf_run(in_process: Callable[..., Invoke]) -> Invoke:
    return in_process(app)


@pytest.fixture(params=FILES)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    path.write_bytes(FILES[request.param]())
    return path


@pytest.mark.parametrize(
    ("name", "mean", "std", "resize"),
    [
        (
            "ultralytics.onnx",
            (0, 0, 0),
            (255, 255, 255),
            Preprocess((16, 16), 3, "pillow-bilinear", "crop", crop_pct=1.0, crop_offset="round"),
        ),
        ("geti.onnx", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), Preprocess((16, 16), 3, "opencv-bilinear")),
    ],
)
def test_a_file_that_says_all_predicts_as_its_own_tool(
    name: str, mean: tuple[float, ...], std: tuple[float, ...], resize: Preprocess, tmp_path: Path, photos: Path
) -> None:
    (tmp_path / name).write_bytes(FILES[name]())
    paths = sorted(photos.rglob("*.png"))

    found = [one.scores for one in Classifier.open(tmp_path / name).predict(list(map(str, paths)))]

    images = np.stack([resize(str(path)) for path in paths])
    inputs = ((images - np.array(mean)) / np.array(std)).astype(np.float32).transpose(0, 3, 1, 2)
    own = softmax(own_scores(onnx.load(tmp_path / name), inputs))
    np.testing.assert_allclose([[scores[label] for label in COLOURS] for scores in found], own, atol=1e-5)


def test_predictions_are_those_of_the_adopted_file(foreign: Path, photos: Path, tmp_path: Path) -> None:
    adopted = tmp_path / f"adopted{foreign.suffix}"
    adopted.write_bytes(adopt_in_memory(foreign, foreign.read_bytes(), NOTHING).data)
    images = list(map(str, photos.rglob("*.png")))

    found, expected = (Classifier.open(path).predict(images) for path in (foreign, adopted))
    assert [one.scores for one in found] == [one.scores for one in expected]


def test_rows_a_resumed_run_and_json_lines(foreign: Path, photos: Path, clf_run: Invoke) -> None:
    last = photos / "red" / "1.png"
    shutil.move(last, photos.parent / "later.png")
    first = clf_run(foreign, "-s", photos, "-o", "rows.csv")
    shutil.move(photos.parent / "later.png", last)
    second = clf_run(foreign, "-s", photos, "-o", "rows.csv")
    lines = clf_run(foreign, "-s", photos, "-o", "rows.jsonl")

    assert (first.exit_code, second.exit_code, lines.exit_code) == (0, 0, 0), first.stderr + second.stderr
    assert "has the rows of 5 images already" in second.stderr
    rows = {row["path"]: row["label"] for row in csv.DictReader(Path("rows.csv").read_text().splitlines())}
    assert len(rows) == 6
    assert rows == {row["path"]: row["label"] for row in map(json.loads, Path("rows.jsonl").read_text().splitlines())}


def test_a_video_is_classified_frame_by_frame(foreign: Path, tmp_path: Path, clf_run: Invoke) -> None:
    write_video(tmp_path / "day.avi", noise(3), codec="MJPG")

    done = clf_run(foreign, "-s", "day.avi", "-o", "frames.csv")

    assert done.exit_code == 0, done.stderr
    assert len((tmp_path / "frames.csv").read_text().splitlines()) == 1 + 3


def test_a_file_that_says_too_little_ends_with_the_command_that_adopts_it(
    tmp_path: Path, photos: Path, clf_run: Invoke
) -> None:
    (tmp_path / "my net.tflite").write_bytes(Foreign().to_bytes())

    done = clf_run("my net.tflite", "-s", photos)

    assert done.exit_code == 2
    assert done.stderr == (
        "error: my net.tflite has no model card and does not say its classes and how its pixels are scaled; adopt it first: "
        "clf-export 'my net.tflite' --classes labels.txt --scale 1/255 --data photos/\n"
    )


def test_a_list_of_labels_beside_a_file_is_named(tmp_path: Path, photos: Path, clf_run: Invoke) -> None:
    data = with_metadata(Foreign().to_bytes(), [127.5], [127.5])
    (tmp_path / "net.tflite").write_bytes(data)
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")

    refused = clf_run("net.tflite", "-s", photos, "-o", "rows.csv")

    assert "net.tflite has no model card and does not say its classes; add --classes labels.txt\n" in refused.stderr
    assert clf_run("net.tflite", "-s", photos, "-o", "rows.csv", "--classes", "labels.txt").exit_code == 0


def test_what_cannot_be_adopted_is_refused_before_any_advice(tmp_path: Path) -> None:
    """With labels, this file would fail as well, so no command is advised."""
    path = tmp_path / "net.tflite"
    path.write_bytes(Foreign(head="LOGISTIC").to_bytes())

    with pytest.raises(ModelError, match="returns 3 sigmoids, one yes or no per class"):
        Classifier.open(path)


def test_errors_name_a_member_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "net.tflite").write_bytes(Foreign(head="LOGISTIC").to_bytes())
    archive = shutil.make_archive(str(tmp_path / "model"), "zip", tmp_path / "packed")

    with pytest.raises(EdgeclfError, match=r"model\.zip: net\.tflite returns 3 sigmoids") as raised:
        Classifier.open(archive)
    assert type(pickle.loads(pickle.dumps(raised.value))) is type(raised.value)


def test_named_classes_do_not_hide_that_a_fit_has_no_counterpart(tmp_path: Path) -> None:
    """Its borders are on two sides only, so a stretched image would give other answers without a word."""
    path = tmp_path / "geti.onnx"
    path.write_bytes(colour_onnx(properties=GETI | {"model_info resize_type": "fit_to_window"}))
    with pytest.raises(ModelError, match="does not say how its images are fitted"):
        Classifier.open(path, card=ModelDescription(COLOURS))


def test_a_description_that_may_be_of_another_model_is_not_inside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(colour_onnx(producer="somebody"))
    (tmp_path / "metadata.yaml").write_text("task: classify\nimgsz:\n- 16\n- 16\nnames:\n  0: cat\n  1: dog\n  2: bird\n")
    with pytest.raises(ModelError, match="described by other files beside it"):
        Classifier.open(tmp_path / "mine.onnx")


def test_a_damaged_file_beside_a_model_that_says_all_is_not_even_read(foreign: Path) -> None:
    (foreign.parent / "config.json").write_text("{")
    assert set(Classifier.open(foreign).card.classes) == set(COLOURS)
