"""Data sets whose folders may be meant otherwise: what is a class, and what is said where that is doubtful."""

import re
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.check import check
from edgeclf.train.data.dataset import find, labelled, scan
from edgeclf.train.data.findings import Kind, Severity
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.splitting import Splitting
from tests.support.datasets import counts, rows_of, write_csv

LayOut = Callable[..., Path]

INNER_CLASSES = {
    "sites": (["site1/cat", "site1/dog", "site2/cat", "site2/dog"], "site1, site2.*cat, dog"),
    "colours": ([f"{kind}/{name}" for kind in ("color", "grayscale", "segmented") for name in "abc"], "color.*a, b, c"),
    "some are missing": (["color/a", "color/b", "grayscale/a", "grayscale/b", "grayscale/c"], "color, grayscale.*a, b"),
    "parts": ([f"seg_{part}/seg_{part}/{name}" for part in ("train", "test") for name in ("sea", "street")], "sea, street"),
    "one without": (["seg_train/sea", "seg_train/street", "seg_test/sea", "seg_test/street", "seg_pred"], "sea, street"),
    "splits": (["cat/train", "cat/test", "dog/train", "dog/test"], "named as splits.*test, train"),
    "letters": (["a/airfield", "a/alley", "b/bakery", "b/bar"], "letters"),
}


def layout_details(root: Path) -> list[str]:
    findings = [finding for finding in check(root).findings if finding.kind is Kind.LAYOUT]
    assert {finding.severity for finding in findings} <= {Severity.WARNING}
    return [finding.detail for finding in findings]


@pytest.mark.parametrize(("folders", "pattern"), INNER_CLASSES.values(), ids=INNER_CLASSES)
def test_classes_that_hold_folders_like_classes_are_doubted(lay_out: LayOut, folders: list[str], pattern: str) -> None:
    root = lay_out(dict.fromkeys(folders, 6))
    (detail,) = layout_details(root)
    assert re.search(pattern, detail)
    assert scan(root).notes == (detail,)


SOUND = {
    "flat": ["cat", "dog"],
    "other sub-folders": ["cat/siamese", "cat/persian", "dog/poodle", "dog/boxer"],
    "one sub-folder": ["cat/images", "dog/images", "wolf/images"],
    "own images": ["cat", "cat/day", "cat/night", "dog", "dog/day", "dog/night"],
    "splits": [f"{split}/{label}" for split in SPLITS for label in ("cat", "dog")],
    "one class with sub-folders": ["cat/day", "cat/night", "dog", "wolf"],
}


@pytest.mark.parametrize("folders", SOUND.values(), ids=SOUND)
def test_usual_folders_are_not_doubted(lay_out: LayOut, folders: list[str]) -> None:
    root = lay_out(dict.fromkeys(folders, 6))
    assert (layout_details(root), scan(root).notes) == ([], ())


def test_a_split_folder_with_images_and_no_classes_is_named(lay_out: LayOut) -> None:
    root = lay_out({"train/cat": 20, "train/dog": 20, "test": 7})
    assert layout_details(root) == [
        "7 images in test/ without class folders are not used; the test images are split off the others"
    ]
    assert counts(scan(root)) == {"train": 32, "val": 4, "test": 4}


@pytest.mark.parametrize(
    ("folders", "place"),
    [({"cat": 6, "dog": 6, "": 2}, ""), ({"train/cat": 6, "train/dog": 6, "train": 2}, " in train/")],
    ids=["classes", "splits"],
)
def test_images_beside_the_class_folders_are_counted(lay_out: LayOut, folders: dict[str, int], place: str) -> None:
    root = lay_out(folders)
    assert layout_details(root) == [f"2 images{place} beside the folders are not used"]


def test_a_class_called_unsure_is_doubted(lay_out: LayOut) -> None:
    assert "unsure is a class" in layout_details(lay_out({"cat": 6, "dog": 6, "unsure": 6}))[0]


def test_a_split_folder_in_a_split_folder_is_skipped(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{split}/{label}": 6 for split in ("train", "test") for label in ("cat", "dog")})
    assert (scan(root).classes, len(scan(root).test)) == (("cat", "dog"), 12)


NAMED_LIKE_SPLITS = [
    ("bus", "car", "train"),
    ("valid", "invalid"),
    ("control", "test"),
    ("bus", "test", "train", "val", "valid"),
]


@pytest.mark.parametrize("classes", NAMED_LIKE_SPLITS, ids=" ".join)
def test_a_folder_named_like_a_split_that_holds_images_beside_others_is_a_class(
    lay_out: LayOut, classes: tuple[str, ...]
) -> None:
    root = lay_out(dict.fromkeys(classes, 6))
    assert scan(root).classes == tuple(sorted(classes))
    assert layout_details(root) == []
    by_class = find(root)["train"]
    assert len(labelled(by_class, classes, root)) == 6 * len(classes)  # as `evaluate` and `clf-export --data` read it


def test_a_train_folder_with_classes_and_images_beside_other_folders_is_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"mixes splits \(train\) with other folders \(more\).*CSV file"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "train/": 3, "more": 3}))


NFC, NFD = (normalize(form, "Bär") for form in ("NFC", "NFD"))


def test_two_spellings_of_a_class_in_two_splits_are_one_class(lay_out: LayOut) -> None:
    root = lay_out({f"train/{NFD}": 12, "train/Kuh": 12, f"test/{NFC}": 3, "test/Kuh": 3})
    dataset = scan(root)
    assert (dataset.classes, counts(dataset)) == ((NFC, "Kuh"), {"train": 22, "val": 2, "test": 6})
    assert {Path(path).parent.name for path in dataset.train.paths} == {NFD, "Kuh"}
    assert [note for note in dataset.notes if NFC in note and "spelled in two ways" in note]


def test_two_spellings_of_a_class_beside_each_other_are_merged_and_noticed(lay_out: LayOut) -> None:
    root = lay_out({NFC: 20, NFD: 21, "Kuh": 20})
    assert len(find(root)["train"][NFC]) == 41
    assert [(finding.kind, finding.severity) for finding in check(root).findings if NFC in finding.detail] == [
        (Kind.CASE_TWINS, Severity.NOTICE)
    ]


def test_one_spelling_is_no_news(lay_out: LayOut) -> None:
    assert scan(lay_out({NFD: 12, "Kuh": 12})).notes == ()


def test_the_spellings_in_a_csv_file_are_one_class(lay_out: LayOut) -> None:
    root = lay_out({NFD: 6, "Kuh": 6})
    rows = [row.replace(f",{NFD}", f",{NFC}") if "0.png" in row else row for row in rows_of(root)]
    dataset = scan(write_csv(root / "labels.csv", ["path,label", *rows]))
    assert dataset.classes == (NFC, "Kuh")
    assert all(Path(path).is_file() for path in dataset.train.paths)


@pytest.mark.parametrize("spelling", [NFC, NFD], ids=["NFC", "NFD"])
def test_classes_of_a_model_are_matched_in_either_spelling(lay_out: LayOut, spelling: str) -> None:
    root = lay_out({NFD: 2, "Kuh": 2})
    assert [label for _, label in labelled(find(root)["train"], (spelling, "Kuh"), root)] == [0, 0, 1, 1]


def test_images_in_a_class_folder_have_no_group_in_either_spelling(lay_out: LayOut) -> None:
    root = lay_out({NFD: 6, "Kuh": 6, **{f"{label}/{group}": 2 for label in (NFD, "Kuh") for group in "abc"}})
    assert scan(root, Splitting(by="folder")).ungrouped == 12
