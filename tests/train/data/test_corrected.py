"""`clf-train --corrections`: right labels win, rejected images are left out, new images are learned and never tested."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError, SourceError
from edgeclf.runtime.review.corrections import Correction, CorrectionsFile
from edgeclf.train.config import configure
from edgeclf.train.data.corrected import corrected
from edgeclf.train.data.dataset import Dataset, scan
from edgeclf.train.data.splitting import Splitting
from edgeclf.train.options import SplitOptions, TrainOptions
from edgeclf.train.preparation import prepare

LayOut = Callable[..., Path]


@pytest.fixture
def data(lay_out: LayOut) -> Path:
    return lay_out({"cat": 20, "dog": 20})


def write(path: Path, *rows: tuple[str, str, str]) -> Path:
    """rows: path, label, decision."""
    file = CorrectionsFile(path)
    file.append([Correction(image, label, decision, f"{number}Z") for number, (image, label, decision) in enumerate(rows)])  # type: ignore[arg-type]
    file.close()
    return path


def labels_of(dataset: Dataset) -> dict[str, dict[str, str]]:
    """By split, the class of each image."""
    return {
        name: {path: dataset.classes[label] for path, label in zip(split.paths, split.labels, strict=True)}
        for name, split in dataset.splits().items()
    }


def test_decisions_change_nothing_but_their_images(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = scan(data)
    new = shutil.copy(data / "cat" / "00.png", tmp_path / "new.png")
    Path(new).write_bytes(Path(new).read_bytes() + b"\0")
    expected = labels_of(before)
    tested, validated, learned = before.test.paths[0], before.val.paths[0], before.train.paths[0]
    other = {"cat": "dog", "dog": "cat"}
    expected["test"][tested] = other[expected["test"][tested]]
    expected["train"][learned] = other[expected["train"][learned]]
    expected["train"][str(new)] = "dog"
    rows = [
        (tested, expected["test"][tested], "corrected"),
        (learned, expected["train"][learned], "accepted"),
        (validated, "", "rejected"),
        (str(new), "dog", "corrected"),
        (before.train.paths[1], expected["train"][before.train.paths[1]], "accepted"),
        (str(tmp_path / "gone.png"), "", "rejected"),
        (before.train.paths[2], "cat", "corrected"),
        (before.train.paths[2], "", "undone"),
    ]
    del expected["val"][validated]
    found = corrected(before, write(tmp_path / "corrections.csv", *rows))
    assert labels_of(found) == expected
    said = capsys.readouterr().err
    assert "2 labels corrected, 1 label confirmed, 1 image left out, 1 new image to learn from" in said


def test_an_image_is_the_same_by_every_path_to_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    before = scan(data)
    image = os.path.relpath(before.train.paths[0], data)
    path = write(tmp_path / "corrections.csv", (f"link/{image}", "", "rejected"))
    assert corrected(before, path).train.paths == before.train.paths[1:]


def test_new_images_join_the_training_part_of_every_fold(data: Path, tmp_path: Path) -> None:
    before = scan(data, Splitting(folds=4))
    new = str(shutil.copy(data / "cat" / "00.png", tmp_path / "new.png"))
    rejected = before.folds[0].test.paths[0]
    found = corrected(before, write(tmp_path / "corrections.csv", (new, "cat", "corrected"), (rejected, "", "rejected")))
    assert all(new in fold.train.paths and new not in fold.test.paths + fold.val.paths for fold in found.folds)
    assert all(
        rejected not in paths for fold in found.folds for paths in (fold.train.paths, fold.val.paths, fold.test.paths)
    )


def test_a_new_copy_of_a_test_image_is_found(data: Path, tmp_path: Path) -> None:
    before = scan(data)
    new = str(shutil.copy(before.test.paths[0], tmp_path / "new.png"))
    found = corrected(before, write(tmp_path / "corrections.csv", (new, "cat", "accepted")))
    assert [set(group) for group in found.copies] == [{new, before.test.paths[0]}]


@pytest.mark.parametrize(
    ("row", "error", "said"),
    [
        (("nowhere.png", "cat", "accepted"), DatasetError, r"line 2 of .*corrections.csv names nowhere.png"),
        (("cat/00.png", "cow", "corrected"), SourceError, r"line 2 of .*corrections.csv names the class 'cow'"),
    ],
)
def test_what_does_not_exist_is_named_by_its_line(
    data: Path, tmp_path: Path, row: tuple[str, str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        corrected(scan(data), write(tmp_path / "corrections.csv", row))


def test_a_class_without_images_is_named(data: Path, tmp_path: Path) -> None:
    before = scan(data)
    rows = [(path, "", "rejected") for path, name in labels_of(before)["test"].items() if name == "dog"]
    with pytest.raises(DatasetError, match="class 'dog' has no image in test"):
        corrected(before, write(tmp_path / "corrections.csv", *rows))


def test_the_run_keeps_the_corrected_labels_and_the_option(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "corrections.csv", (scan(data).train.paths[0], "", "rejected"))
    options = TrainOptions(data, SplitOptions(corrections=path))
    config = configure(options)
    prepared = prepare(config, tmp_path / "run")
    assert len(prepared.train) == len(scan(data).train) - 1
    path.unlink()  # split.csv says it all
    assert prepare(config, tmp_path / "run", resume=True).train == prepared.train
    assert json.loads(options.to_json())["corrections"] == str(path)
    assert configure(replace(options, splits=SplitOptions())).corrections is None
