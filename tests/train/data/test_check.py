"""What `clf-check` finds in a dataset as a whole: copies, faulty classes, and what training refuses."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import cv2
import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.runtime.images.encode import encode_image
from edgeclf.train.data.check import check, check_dataset
from edgeclf.train.data.dataset import Split, scan
from edgeclf.train.data.findings import Kind, Severity
from tests.support.checkups import details, found, kinds, photograph

LayOut = Callable[..., Path]
COUNTS = {"train": 20, "val": 3, "test": 3}
SPLITS = {f"{split}/{label}": count for split, count in COUNTS.items() for label in ("cat", "dog")}


@pytest.fixture
def sound(lay_out: LayOut) -> Path:
    """Three splits with images of noise in two classes. Nothing is wrong with them."""
    return lay_out(SPLITS, 40, 48)


def test_nothing_is_found_in_a_sound_folder(sound: Path) -> None:
    checkup = check(sound)
    assert (checkup.findings, checkup.images, checkup.skipped) == ((), 52, 0)
    assert checkup.counts == {split: {"cat": count, "dog": count} for split, count in COUNTS.items()}


def test_a_check_changes_nothing(sound: Path) -> None:
    (sound / "train/cat/broken.jpg").write_bytes(b"not an image")
    shutil.copy(sound / "train/cat/00.png", sound / "test/dog/copy.png")

    def state() -> list[tuple[str, bytes, int]]:
        paths = sorted(sound.rglob("*"))
        return [(str(path), path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns) for path in paths]

    before = state()
    check(sound)
    assert state() == before


def test_a_file_in_two_splits_is_leakage(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "test/cat/copy.png")
    checkup = check(sound)
    assert found(checkup, Kind.LEAKAGE) == [("error", ["train/cat/00.png", "test/cat/copy.png"])]
    assert kinds(checkup) == {Kind.LEAKAGE}


def test_a_file_in_two_classes_is_label_noise(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "train/dog/copy.png")
    checkup = check(sound)
    assert found(checkup, Kind.LABEL_NOISE) == [("warning", ["train/cat/00.png", "train/dog/copy.png"])]
    assert details(checkup.findings, Kind.LABEL_NOISE) == ["the same file is labelled cat and dog"]
    assert kinds(checkup) == {Kind.LABEL_NOISE}


def test_a_file_in_another_split_and_another_class_is_leakage_and_label_noise(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "val/dog/copy.png")
    assert [finding.kind for finding in check(sound).findings] == [Kind.LEAKAGE, Kind.LABEL_NOISE]


def test_a_file_twice_in_one_class_is_a_duplicate(sound: Path) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "train/cat/copy.png")
    checkup = check(sound)
    assert found(checkup, Kind.DUPLICATE) == [("warning", ["train/cat/00.png", "train/cat/copy.png"])]
    assert kinds(checkup) == {Kind.DUPLICATE}


@pytest.mark.parametrize(
    ("folder", "severity"),
    [("train/cat", "notice"), ("train/dog", "warning"), ("test/cat", "warning")],
    ids=["one class", "two classes", "two splits"],
)
def test_a_photograph_saved_again_is_a_near_duplicate(sound: Path, folder: str, severity: str) -> None:
    (sound / "train/cat/soft.png").write_bytes(encode_image(photograph()))
    (sound / folder / "zoft.jpg").write_bytes(encode_image(cv2.resize(photograph(), (120, 120)), ".jpg"))
    pairs = [(word, sorted(names)) for word, names in found(check(sound), Kind.NEAR_DUPLICATE)]
    assert pairs == [(severity, sorted(["train/cat/soft.png", f"{folder}/zoft.jpg"]))]


def test_an_exact_copy_is_not_also_a_near_duplicate(sound: Path) -> None:
    for name in ("a.png", "b.png"):
        (sound / "train/cat" / name).write_bytes(encode_image(photograph()))
    assert kinds(check(sound)) == {Kind.DUPLICATE}


@pytest.mark.parametrize(("cats", "severity"), [(60, []), (61, ["notice"]), (200, ["notice"]), (201, ["warning"])], ids=str)
def test_a_class_with_far_more_images_than_another_is_an_imbalance(lay_out: LayOut, cats: int, severity: list[str]) -> None:
    checkup = check(lay_out({"cat": cats, "dog": 20}, 32, 32))
    assert found(checkup, Kind.IMBALANCE) == [(word, []) for word in severity]


def test_a_class_with_fewer_than_20_images_is_named(lay_out: LayOut) -> None:
    findings = check(lay_out({"cat": 20, "dog": 19}, 32, 32)).findings
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.FEW_IMAGES, Severity.WARNING)]
    assert findings[0].detail.startswith("dog has 19 training images")


def test_a_class_folder_without_images_is_named(lay_out: LayOut) -> None:
    findings = check(lay_out(SPLITS | {"val/dog": 0}, 32, 32)).findings
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.EMPTY_CLASS, Severity.ERROR)]
    assert findings[0].detail == "dog has no images in val"


def test_a_class_that_some_splits_lack_is_named_with_each_of_them(lay_out: LayOut) -> None:
    findings = check(lay_out(SPLITS | {"test/wolf": 3}, 32, 32)).findings
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.MISSING_CLASS, Severity.ERROR)] * 2
    starts = sorted(finding.detail.partition(",")[0] for finding in findings)
    assert starts == ["wolf is missing from train", "wolf is missing from val"]


@pytest.mark.parametrize("twin", ["CAF\u00c9", " cafe\u0301 "], ids=["case", "blanks"])
def test_class_names_that_look_alike_are_named(lay_out: LayOut, twin: str) -> None:
    findings = check(lay_out({"caf\u00e9": 20, "dog": 20, twin: 20}, 32, 32)).findings
    assert [(finding.kind, finding.severity) for finding in findings] == [(Kind.CASE_TWINS, Severity.WARNING)]
    assert "'caf\u00e9'" in findings[0].detail
    assert f"'{normalize('NFC', twin)}'" in findings[0].detail


def test_names_that_are_not_utf_8_are_kept_in_paths_and_escaped_in_details(sound: Path) -> None:
    name = os.fsdecode(b"a\n\x1b[31m\xff")
    for split in COUNTS:
        shutil.copytree(sound / split / "cat", sound / split / name)
    findings = check(sound).findings
    copied = [path for finding in findings for path in finding.paths if name in path]
    assert len(copied) == sum(COUNTS.values())
    assert all(os.path.exists(path) for path in copied)
    assert {finding.detail for finding in findings} == {r"the same file is labelled a\n\x1b[31m\xff and cat"}


@pytest.mark.parametrize(
    ("layout", "pattern"),
    [
        ({"cat": 0}, "data holds no class folders with images"),
        ({"cat": 3}, r"data has only one class folder \(cat\)"),
        ({"val/cat": 3, "val/dog": 3}, "data has val but no train folder"),
    ],
    ids=["no images", "one class", "no train split"],
)
def test_a_folder_without_a_dataset_is_refused(lay_out: LayOut, layout: dict[str, int], pattern: str) -> None:
    with pytest.raises(DatasetError, match=pattern):
        check(lay_out(layout))


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing does not exist"):
        check(tmp_path / "missing")


def test_a_dataset_is_checked_without_reading_a_file_again(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(sound / "train/cat/00.png", sound / "test/dog/copy.png")
    dataset = scan(sound)
    monkeypatch.setattr("builtins.open", None)
    assert {finding.kind for finding in check_dataset(dataset)} >= {Kind.LEAKAGE, Kind.LABEL_NOISE}


def test_a_copy_is_not_reported_if_a_limit_removed_the_other_copies(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    for number in range(1, 16):
        shutil.copy(root / "cat/00.png", root / f"cat/{number:02}.png")
    one = Split((str(root / "cat/00.png"), str(root / "dog/00.png")), (0, 1))
    dataset = replace(scan(root), train=one, val=Split((), ()), test=Split((), ()))
    assert not {Kind.DUPLICATE, Kind.LEAKAGE} & {finding.kind for finding in check_dataset(dataset)}
