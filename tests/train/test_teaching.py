"""A trained model as teacher: what is checked before it teaches, and what a student learns from it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import DatasetError, ModelError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.config import TrainingConfig
from edgeclf.train.data.dataset import Dataset, scan
from edgeclf.train.data.splitting import Splitting
from edgeclf.train.history import read_history
from edgeclf.train.networks.architectures import ConvNet
from edgeclf.train.recipes import Recipe
from edgeclf.train.run import train
from edgeclf.train.teaching import Teaching, check_teaching, known_test_images
from edgeclf.train.views import Viewing, views
from tests.support.drawings import write_images

OTHER_SPLIT = Splitting(seed=7)


@pytest.fixture
def teacher(run_folder: Path, tmp_path: Path) -> Path:
    """A model alone, without the `split.csv` of its run."""
    return Path(shutil.copy(run_folder / "model.onnx", tmp_path / "teacher.onnx"))


@pytest.fixture
def shapes(image_folder: Path) -> Dataset:
    return scan(image_folder)


def test_a_teacher_of_other_classes_is_refused_with_their_names(teacher: Path, lay_out: Callable[..., Path]) -> None:
    with pytest.raises(DatasetError, match=r"does not know 'blob' and the images have none of 'square'"):
        check_teaching(Teaching(teacher), scan(lay_out({"disc": 4, "blob": 4})))


@pytest.mark.parametrize("name", ["teacher.onnx", "teacher.tflite", "teacher.keras"])
def test_a_damaged_teacher_is_refused(name: str, shapes: Dataset, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match=name):
        check_teaching(Teaching(tmp_path / name), shapes)


def test_the_split_of_the_teachers_run_is_taken_over(run_folder: Path, image_folder: Path, shapes: Dataset) -> None:
    other = scan(image_folder, OTHER_SPLIT)
    taught = check_teaching(Teaching(run_folder / "model.onnx"), other)
    assert {path: name for name, split in taught.splits().items() for path in split.paths} == {
        path: name for name, split in shapes.splits().items() for path in split.paths
    }
    assert known_test_images(run_folder / "model.onnx", taught) == 0


def test_test_images_that_the_teacher_knows_are_counted_and_said(
    run_folder: Path, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = scan(image_folder, OTHER_SPLIT)
    learned = {path for split in (scan(image_folder).train, scan(image_folder).val) for path in split.paths}
    known = len(learned & set(other.test.paths))

    kept = check_teaching(Teaching(run_folder / "model.onnx", takes_split=False), other)

    assert kept == other
    assert known > 0
    assert f"trained on {known} of 6 test images" in capsys.readouterr().err


def test_unlabelled_images_are_only_those_without_labels(teacher: Path, image_folder: Path, tmp_path: Path) -> None:
    shapes = scan(image_folder)
    further = write_images(tmp_path / "more", 2, first_seed=5000)
    shutil.copy(shapes.test.paths[0], further / "a-copy.png")
    (further / "notes.txt").write_text("no image")

    found = check_teaching(Teaching(teacher, further), shapes)

    assert sorted(found.unlabelled) == sorted(str(path) for path in further.rglob("*.png") if path.name != "a-copy.png")
    assert found.splits() == shapes.splits()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder, images: folder, "holds no images"),
        (lambda folder, images: folder / "absent", "is not a folder"),
        (lambda folder, images: images / "disc", "holds only images that have labels"),
    ],
    ids=["empty", "absent", "labelled"],
)
def test_a_folder_without_unlabelled_images_is_refused(
    make: Callable[[Path, Path], Path], sentence: str, teacher: Path, image_folder: Path, shapes: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=sentence):
        check_teaching(Teaching(teacher, make(tmp_path / "empty", image_folder)), shapes)


def test_teacher_and_student_see_the_same_views(shapes: Dataset) -> None:
    """At the same size, their views are equal; each seed has its own."""
    viewing = Viewing(4, horizontal=True, mixed=0.5)
    both = list(views(shapes.train.paths[:20], Preprocess((32, 40)), Preprocess((32, 40)), viewing))
    again = list(views(shapes.train.paths[:20], Preprocess((64, 64)), Preprocess((32, 40)), viewing))
    other = list(views(shapes.train.paths[:20], Preprocess((8, 8)), Preprocess((32, 40)), Viewing(4, mixed=0.5, seed=1)))
    assert [len(pair[0]) for pair in both] == [64, 16]
    for (teachers, students), (_, same), (_, others) in zip(both, again, other, strict=True):
        np.testing.assert_array_equal(teachers, students)
        np.testing.assert_array_equal(students, same)
        assert (students[1::4] != others[1::4]).any()


def test_the_first_view_is_the_whole_image(shapes: Dataset) -> None:
    ((_, students),) = views(shapes.train.paths[:5], Preprocess((32, 32)), Preprocess((32, 32), 1), Viewing(3, mixed=1))
    for path, view in zip(shapes.train.paths[:5], students[::3], strict=True):
        np.testing.assert_array_equal(view, Preprocess((32, 32), 1)(path))


def test_an_image_that_cannot_be_read_has_no_views(shapes: Dataset, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"not an image")
    paths, small = [str(tmp_path / "bad.png"), shapes.train.paths[0]], Preprocess((8, 8))
    ((_, students),) = views(paths, small, small, Viewing(2))
    assert len(students) == 2


def test_a_student_learns_the_teachers_answers_and_the_run_says_so(
    teacher: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teaching = Teaching(teacher, write_images(tmp_path / "more", 3, first_seed=5000))
    recipe = Recipe(ConvNet((4, 8), dropout=0.0), epochs=3, batch=16, learning_rate=0.01, seed=3)
    config = TrainingConfig(image_folder, Preprocess((24, 24)), recipe, teaching=teaching)

    run = train(config, tmp_path / "run")

    assert run.metrics["teaching"] == {
        "teacher": str(teacher),
        "unlabelled_images": 6,
        "views": 8,
        "test_images_known_to_teacher": 0,
    }
    assert "6 unlabelled images" in capsys.readouterr().err
    assert "teacher.onnx" in (tmp_path / "run" / "report.html").read_text()
    rows = read_history(tmp_path / "run" / "history.csv")
    assert float(rows[-1]["accuracy"]) > 0.5  # of whole answers: Keras's own accuracy knows only labels of 0 and 1
    assert not list((tmp_path / "run").glob(".*"))
