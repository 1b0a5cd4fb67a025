"""Test images that are in another split: what is refused, and what is left out of the score where that is allowed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.encode import encode_image
from edgeclf.train.data.check import check
from edgeclf.train.data.dataset import Dataset, scan
from edgeclf.train.data.findings import Finding, Kind, Severity
from edgeclf.train.data.leakage import drop_leaks, refusal, refusals, without_leaks
from tests.support.checkups import noise
from tests.support.datasets import counts

LayOut = Callable[..., Path]


@pytest.fixture
def sound(lay_out: LayOut) -> Path:
    """Three splits with images of noise in two classes. Nothing is wrong with them."""
    return lay_out({f"{split}/{label}": 4 for split in ("train", "val", "test") for label in ("cat", "dog")}, 40, 48)


def copy(data: Path, source: str, *targets: str) -> None:
    for target in targets:
        shutil.copy(data / source, data / target)


def names(dataset: Dataset, split: str) -> set[str]:
    return {Path(path).name for path in dataset.splits()[split].paths}


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [("train", "test", 1), ("val", "test", 1), ("train", "val", 0)],
    ids=lambda value: str(value),
)
def test_only_leakage_of_test_images_is_refused(sound: Path, first: str, second: str, refused: int) -> None:
    shutil.copy(sound / first / "cat/00.png", sound / second / "cat/copy.png")
    assert len(refusals(check(sound).findings)) == refused


def test_label_noise_is_not_refused(sound: Path) -> None:
    shutil.copy(sound / "test/cat/00.png", sound / "test/dog/copy.png")
    assert refusals(check(sound).findings) == []


def test_a_refusal_shows_copies_from_different_splits(sound: Path) -> None:
    for path in ("train/cat/x.png", "train/cat/y.png", "test/cat/x.png"):
        (sound / path).write_bytes(encode_image(noise()))
    assert f"(first: {sound}/train/cat/x.png = {sound}/test/cat/x.png)" in refusal(refusals(check(sound).findings))


@pytest.mark.parametrize(
    ("leaks", "start"),
    [
        ([("train", "test")], "1 image is in both train and test (first: a.jpg = b.jpg)"),
        ([("train", "test")] * 3, "3 images are in both train and test (first: a.jpg = b.jpg)"),
        (
            [("train", "test"), ("val", "test")],
            "2 images are in more than one of train, val and test (first: a.jpg = b.jpg)",
        ),
        ([("val", "test")], "1 image is in both val and test (first: a.jpg = b.jpg)"),
    ],
    ids=["one", "some", "in all splits", "not in train"],
)
def test_a_refusal_says_how_many_images_are_in_which_splits_and_what_to_do(leaks: list[tuple[str, ...]], start: str) -> None:
    sentence = refusal([Finding(Kind.LEAKAGE, Severity.ERROR, ("a.jpg", "b.jpg"), "", splits) for splits in leaks])
    assert sentence.startswith(start)
    assert ("--drop-leaks" in sentence, "--allow-leakage" in sentence) == ("train" in leaks[0], True)


@pytest.mark.parametrize(
    ("source", "targets", "expected"),
    [
        ("train/cat/00.png", ["test/cat/a.png", "test/dog/b.png"], {"train": 8, "val": 8, "test": 8}),
        ("val/cat/00.png", ["test/cat/a.png"], {"train": 8, "val": 8, "test": 8}),
        ("train/cat/00.png", ["val/cat/a.png", "test/cat/a.png"], {"train": 8, "val": 8, "test": 8}),
        ("test/cat/00.png", ["test/cat/a.png"], {"train": 8, "val": 8, "test": 9}),
    ],
    ids=["train", "val", "both", "only test"],
)
def test_images_that_training_uses_are_left_out_of_the_score(
    sound: Path, source: str, targets: list[str], expected: dict[str, int]
) -> None:
    copy(sound, source, *targets)
    dataset = without_leaks(scan(sound))
    assert counts(dataset) == expected
    assert refusals(check(sound).findings) == [] or not names(dataset, "test") & {"a.png", "b.png"}


def test_how_many_images_are_left_out_is_said(sound: Path) -> None:
    copy(sound, "train/cat/00.png", "test/cat/a.png", "test/dog/b.png", "val/cat/a.png")
    dataset = without_leaks(scan(sound))
    assert dataset.left_out == {"test": 2, "validation": 1}
    test, val = dataset.notes
    assert test == "2 test images left out of the score, because training uses the same files"
    assert val == "1 validation image left out, because training uses the same files"


def test_a_validation_split_that_would_be_empty_is_kept_and_named(sound: Path) -> None:
    shutil.rmtree(sound / "val")
    shutil.copytree(sound / "train", sound / "val")
    dataset = without_leaks(scan(sound))
    assert counts(dataset) == {"train": 8, "val": 8, "test": 8}
    assert dataset.notes == ("every validation image is trained on, so the validation accuracy is too high",)


def test_a_test_split_that_would_be_empty_is_refused(sound: Path) -> None:
    shutil.rmtree(sound / "test")
    shutil.copytree(sound / "train", sound / "test")
    with pytest.raises(DatasetError, match=r"every test image is used in training.*--test"):
        without_leaks(scan(sound))


@pytest.mark.parametrize(
    ("source", "target", "expected", "copy_of"),
    [
        ("test/cat/00.png", "train/cat/a.png", {"train": 8, "val": 8, "test": 8}, "test/cat/00.png"),
        ("val/cat/00.png", "train/dog/a.png", {"train": 8, "val": 8, "test": 8}, "val/cat/00.png"),
    ],
    ids=["of test", "of val, in another class"],
)
def test_copies_are_dropped_from_the_training_part_only(
    sound: Path, source: str, target: str, expected: dict[str, int], copy_of: str
) -> None:
    copy(sound, source, target)
    dataset = drop_leaks(scan(sound))
    assert counts(dataset) == expected
    assert [(image.path, image.copy_of) for image in dataset.dropped] == [(str(sound / target), str(sound / copy_of))]
    assert "1 image left out of the training" in dataset.notes[-1]


def test_a_dataset_without_leaks_stays_as_it_is(sound: Path) -> None:
    copy(sound, "train/cat/00.png", "train/cat/a.png")
    copy(sound, "val/cat/00.png", "test/cat/b.png")
    assert drop_leaks(scan(sound)) == scan(sound)


def test_a_class_without_training_images_is_not_trained(sound: Path) -> None:
    shutil.rmtree(sound / "train/cat")
    shutil.copytree(sound / "test/cat", sound / "train/cat")
    with pytest.raises(DatasetError, match=r"'cat'.*copy.*--allow-leakage"):
        drop_leaks(scan(sound))
