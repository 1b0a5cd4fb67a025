"""What edgeclf itself has written into a data set: it is no class, it is no image of a class, and that is said."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import Result

from edgeclf.runtime.cli.clf_run import app as clf_run
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.train.data.dataset import Dataset, scan
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.run_files import FIGURES, SHEET_NAME

LayOut = Callable[..., Path]
RUN = ("split.csv", "model.keras", "metrics.json", "report.html", "options.json")
SYSTEM = ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", ".cache"]


@pytest.fixture
def data(lay_out: LayOut) -> Path:
    return lay_out({"cat": 5, "dog": 5})


def write_output(folder: Path, *names: str) -> None:
    """A folder with these files and an image under the name of each figure."""
    folder.mkdir(parents=True, exist_ok=True)
    image = bytes(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1])
    for name in (*names, *FIGURES):
        (folder / name).write_bytes(image)


def images(dataset: Dataset) -> int:
    return sum(map(len, dataset.splits().values()))


PLACES = {"run": "run", "runs/photos": "runs", "runs/old/photos-2": "runs", "cat/run": "cat/run", "cat": "cat"}


@pytest.mark.parametrize(("place", "said"), PLACES.items(), ids=PLACES)
@pytest.mark.parametrize("files", [RUN, *zip(RUN, strict=True)], ids=["all", *RUN])
def test_a_run_or_a_report_is_no_class_and_no_image_of_one(
    data: Path, place: str, said: str, files: tuple[str, ...]
) -> None:
    write_output(data / place, *files)
    dataset = scan(data)
    assert (dataset.classes, images(dataset)) == (("cat", "dog"), 10)
    assert dataset.notes == (f"passed over, as no class: {said} (written by edgeclf)",)


def test_a_run_that_was_killed_is_no_class(data: Path) -> None:
    (data / "runs" / "photos").mkdir(parents=True)
    (data / "runs" / "photos" / "options.json").write_text("{}")
    assert scan(data).classes == ("cat", "dog")


def test_images_that_a_training_has_unpacked_are_no_class(data: Path) -> None:
    write_output(data / "runs" / "pets", "split.csv")
    shutil.copytree(data / "cat", data / "runs" / "pets" / "images" / "train" / "cat")
    assert (scan(data).classes, images(scan(data))) == (("cat", "dog"), 10)


def test_unpacked_images_can_be_named_themselves(data: Path) -> None:
    write_output(data / "runs" / "pets", "split.csv")
    inside = data / "runs" / "pets" / "images" / "train"
    shutil.copytree(data, inside, ignore=shutil.ignore_patterns("runs"))
    assert images(scan(inside)) == 10


@pytest.mark.parametrize("place", ["preview", "cat"])
def test_the_sheet_of_a_preview_is_no_image(data: Path, place: str) -> None:
    (data / place).mkdir(exist_ok=True)
    for name in (SHEET_NAME, "augmentation-2.png"):
        shutil.copy(data / "dog" / "00.png", data / place / name)
    assert (scan(data).classes, images(scan(data))) == (("cat", "dog"), 10)


def test_a_folder_around_everything_is_found_beside_runs(lay_out: LayOut) -> None:
    root = lay_out({"photos/cat": 5, "photos/dog": 5})
    write_output(root / "runs" / "photos", *RUN)
    assert scan(root).classes == ("cat", "dog")


@pytest.mark.parametrize("name", ["test", "runs"])
def test_a_run_beside_splits_is_no_split_and_no_other_folder(lay_out: LayOut, name: str) -> None:
    root = lay_out({f"{split}/{label}": 5 for split in SPLITS[:2] for label in ("cat", "dog")})
    write_output(root / name, *RUN)
    assert (scan(root).classes, images(scan(root))) == (("cat", "dog"), 20)


def test_an_image_that_is_named_like_a_figure_counts(data: Path) -> None:
    shutil.move(data / "cat" / "00.png", data / "cat" / "samples.png")
    assert images(scan(data)) == 10


def test_a_class_without_images_is_still_an_error_of_its_own(data: Path) -> None:
    (data / "wolf").mkdir()
    with pytest.raises(Exception, match="'wolf' has no images"):
        scan(data)


@pytest.mark.parametrize("sorting", ["--sort", "--save-unsure"])
def test_sorted_images_are_no_class(
    image_folder: Path,
    onnx_model: Path,
    tmp_path: Path,
    in_process: Callable[[typer.Typer], Callable[..., Result]],
    sorting: str,
) -> None:
    data = tmp_path / "photos"
    shutil.copytree(image_folder, data)
    if sorting == "--sort":
        done = in_process(clf_run)(
            onnx_model, "-s", image_folder, "--sort", "copy", "--sort-dir", data / "new", "-o", "rows.csv"
        )
        assert done.exit_code == 0, done.stderr
    else:
        UnsureFolder(data / "new", 10**8).save("webcam", np.zeros((48, 64, 3), np.uint8), "disc", "2026-01-02T03:04:05Z")
    dataset = scan(data)
    assert (dataset.classes, images(dataset)) == (("disc", "square"), 60)
    assert any("new (folders named like the classes" in note for note in dataset.notes)


def test_sorted_images_can_be_named_themselves(image_folder: Path, tmp_path: Path) -> None:
    for label in ("disc", "square", "unsure"):
        shutil.copytree(image_folder / "disc", tmp_path / "new" / label)
    assert scan(tmp_path / "new").classes == ("disc", "square", "unsure")


@pytest.mark.parametrize("folder", SYSTEM)
def test_what_systems_leave_beside_images_is_no_class_and_no_image(data: Path, folder: str) -> None:
    for place in (data / folder / "S-1-5", data / "cat" / folder / "00.png", data / "dog" / folder):
        place.mkdir(parents=True)
        shutil.copy(data / "cat" / "00.png", place / "SYNOPHOTO_THUMB_M.png")
    dataset = scan(data)
    assert (dataset.classes, images(dataset), dataset.skipped) == (("cat", "dog"), 10, 0)
    assert dataset.notes == (f"passed over, as no class: {folder} (3 folders)",)
