"""Scanning a folder: classes, labels, and the splits that it has, that are taken from train, or that are named."""

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.dataset import Split, scan
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.splitting import Splitting
from tests.support.datasets import counts, per_class, write_csv

LayOut = Callable[..., Path]


def class_folders(split: Split) -> list[str]:
    return [Path(path).parent.name for path in split.paths]


def split_folders(split: Split) -> set[str]:
    return {Path(path).parts[-3] for path in split.paths}


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("training", "validation", "testing"),
        ("training_set", "validation_set", "test_set"),
        ("Training", "Validation", "Test"),
        ("TRAIN", "vAlId", "TeSt"),
    ],
    ids=lambda name: name,
)
def test_split_folders_may_have_any_of_their_usual_names(lay_out: LayOut, train: str, val: str, test: str) -> None:
    root = lay_out({f"{split}/{label}": n for split, n in ((train, 4), (val, 2), (test, 3)) for label in ("cat", "dog")})
    dataset = scan(root)
    assert (dataset.classes, counts(dataset)) == (("cat", "dog"), {"train": 8, "val": 4, "test": 6})


def test_every_image_in_a_split_folder_is_in_that_split(lay_out: LayOut) -> None:
    dataset = scan(lay_out({f"{split}/{label}": 3 for split in SPLITS for label in ("cat", "dog")}))
    assert {name: split_folders(split) for name, split in dataset.splits().items()} == {name: {name} for name in SPLITS}


def test_images_without_splits_are_split_in_three(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat": 20, "dog": 40}))) == {"train": 48, "val": 6, "test": 6}


def test_a_split_takes_its_share_of_every_class(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 20, "dog": 40}))
    assert [per_class(split) for split in dataset.splits().values()] == [[16, 32], [2, 4], [2, 4]]


def test_a_rare_class_has_an_image_in_every_split(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"common": 30, "rare": 3}))
    assert [per_class(split)[1] for split in dataset.splits().values()] == [1, 1, 1]


def test_every_image_is_in_exactly_one_split(lay_out: LayOut) -> None:
    root = lay_out({"cat": 11, "dog": 13})
    paths = [path for split in scan(root).splits().values() for path in split.paths]
    assert sorted(paths) == sorted(map(str, root.rglob("*.png")))


def test_the_same_seed_gives_the_same_splits(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    assert scan(root, Splitting(seed=5)) == scan(root, Splitting(seed=5))


def test_another_seed_gives_other_splits(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    assert set(scan(root, Splitting(seed=5)).test.paths) != set(scan(root, Splitting(seed=6)).test.paths)


def test_a_missing_test_split_is_taken_from_train_and_val_is_kept(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"train/cat": 18, "train/dog": 18, "val/cat": 5, "val/dog": 5}))
    assert counts(dataset) == {"train": 32, "val": 10, "test": 4}
    assert split_folders(dataset.test) == {"train"}
    assert not set(dataset.train.paths) & set(dataset.test.paths)


def test_a_missing_val_split_is_taken_from_train_and_test_is_kept(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"train/cat": 18, "train/dog": 18, "test/cat": 5, "test/dog": 5}))
    assert counts(dataset) == {"train": 32, "val": 4, "test": 10}
    assert split_folders(dataset.val) == {"train"}


def test_a_label_is_the_class_of_the_folder_in_every_split(lay_out: LayOut) -> None:
    dataset = scan(lay_out({f"{split}/{label}": 2 for split in SPLITS for label in ("zebra", "ant", "Moth")}))
    for split in dataset.splits().values():
        assert [dataset.classes[label] for label in split.labels] == class_folders(split)


def test_images_keep_their_labels_when_they_are_split(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"zebra": 9, "ant": 12, "Moth": 7}))
    labels = [dataset.classes[label] for split in dataset.splits().values() for label in split.labels]
    assert labels == [name for split in dataset.splits().values() for name in class_folders(split)]


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_is_not_in_train_is_refused(lay_out: LayOut, split: str) -> None:
    root = lay_out({f"{p}/{label}": 3 for p in ("train", "val", "test") for label in ("cat", "dog")} | {f"{split}/wolf": 3})
    with pytest.raises(DatasetError, match=rf"'wolf' is in {split} but not in train"):
        scan(root)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_a_split_lacks_is_refused(lay_out: LayOut, split: str) -> None:
    layout = {f"{p}/{label}": 3 for p in ("train", "val", "test") for label in ("cat", "dog")}
    del layout[f"{split}/dog"]
    with pytest.raises(DatasetError, match=rf"'dog' has no images in {split}"):
        scan(lay_out(layout))


@pytest.mark.parametrize(
    ("layout", "names"),
    [({}, "none"), ({"cat": 9}, "cat"), ({"cat": 0}, "cat"), ({"train/cat": 9, "test/cat": 3}, "cat")],
    ids=str,
)
def test_fewer_than_two_classes_are_refused(tmp_path: Path, lay_out: LayOut, layout: dict[str, int], names: str) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    lay_out(layout)
    with pytest.raises(DatasetError, match=rf"fewer than two class folders .*\({names}\)"):
        scan(tmp_path / "data")


@pytest.mark.parametrize(
    "layout", [{"cat": 9, "dog": 9, "empty": 0}, {"train/cat": 9, "train/empty": 0}], ids=["flat", "splits"]
)
def test_an_empty_class_folder_is_refused(lay_out: LayOut, layout: dict[str, int]) -> None:
    with pytest.raises(DatasetError, match="'empty' has no images"):
        scan(lay_out(layout))


def test_a_class_with_too_few_images_to_split_is_refused_with_the_number_that_it_needs(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"few holds 2 images, .* at least 3$"):
        scan(lay_out({"cat": 9, "few": 2}))


@pytest.mark.parametrize("split", ["val", "test"])
def test_all_images_of_a_named_folder_are_in_its_split(lay_out: LayOut, split: str) -> None:
    root = lay_out({f"{top}/{label}": count for top, count in (("mine", 18), ("theirs", 5)) for label in ("dog", "cat")})
    dataset = scan(root / "mine", replace(Splitting(), **{split: root / "theirs"}))
    assert counts(dataset) == {"train": 32, "val": 4, "test": 4} | {split: 10}
    assert split_folders(dataset.splits()[split]) == {"theirs"}


def test_nothing_is_taken_from_train_if_both_other_splits_are_named(lay_out: LayOut) -> None:
    root = lay_out({f"{top}/{label}": count for top, count in (("a", 9), ("b", 2), ("c", 3)) for label in ("cat", "dog")})
    assert counts(scan(root / "a", Splitting(val=root / "b", test=root / "c"))) == {"train": 18, "val": 4, "test": 6}


def test_classes_of_a_named_split_are_matched_by_name(lay_out: LayOut) -> None:
    root = lay_out({f"mine/{label}": 9 for label in ("zebra", "ant", "Moth")} | {"theirs": 3})
    write_csv(root / "theirs" / "val.csv", ["label,path", "zebra,00.png", "Moth,01.png", "ant,02.png"])
    dataset = scan(root / "mine", Splitting(val=root / "theirs" / "val.csv"))
    labels = [(dataset.classes[label], Path(path).name) for path, label in zip(*astuple(dataset.val), strict=True)]
    assert labels == [("Moth", "01.png"), ("ant", "02.png"), ("zebra", "00.png")]


@pytest.mark.parametrize(
    ("layout", "pattern"),
    [
        ({"cat": 2, "dog": 2, "wolf": 2}, "'wolf' is in val but not in train"),
        ({"cat": 2}, "'dog' has no images in val"),
        ({"Cat": 2, "dog": 2}, "'Cat' in val and 'cat' in train .*letter case"),
        ({"train/cat": 2, "test/cat": 2}, r"--val .*theirs has splits of its own \(test, train\)"),
        ({"train/cat": 2, "train/dog": 2}, r"--val .*theirs has splits of its own \(train\)"),
    ],
    ids=["another class", "a class less", "letter case", "splits", "one split"],
)
def test_a_named_split_that_does_not_fit_is_refused(lay_out: LayOut, layout: dict[str, int], pattern: str) -> None:
    root = lay_out({"mine/cat": 9, "mine/dog": 9} | {f"theirs/{folder}": count for folder, count in layout.items()})
    with pytest.raises(DatasetError, match=pattern):
        scan(root / "mine", Splitting(val=root / "theirs"))


@pytest.mark.parametrize("column", ["part", "split"])
def test_a_csv_file_with_splits_is_refused_as_a_named_split(lay_out: LayOut, column: str) -> None:
    root = lay_out({"mine/cat": 9, "mine/dog": 9})
    split = write_csv(root / "all.csv", [f"path,label,{column}", "a.png,cat,train", "b.png,dog,train"])
    with pytest.raises(DatasetError, match=r"--test .*all.csv has splits of its own \(train\)"):
        scan(root / "mine", Splitting(test=split))


def test_classes_that_differ_only_in_letter_case_are_refused(lay_out: LayOut) -> None:
    layout = {f"{split}/{label}": 3 for split in ("train", "test") for label in ("cat", "dog")}
    with pytest.raises(DatasetError, match=r"'Dog' in val and 'dog' in train .*letter case"):
        scan(lay_out(layout | {"val/cat": 3, "val/Dog": 3}))


def test_a_split_that_exists_already_is_not_replaced(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val") for label in ("cat", "dog")})
    with pytest.raises(DatasetError, match=r"data already has a val split.* --val"):
        scan(root, Splitting(val=root / "val"))


def test_an_image_in_two_splits_is_refused(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    with pytest.raises(DatasetError, match=r"00\.png is in train and in test; .* --test"):
        scan(root, Splitting(test=root / "cat" / ".."))


def test_a_named_split_that_does_not_exist_is_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        scan(lay_out({"cat": 9, "dog": 9}), Splitting(val=Path("nowhere")))
