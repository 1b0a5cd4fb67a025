"""Finding pictures, naming classes, splitting."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.dataset import PARTS, Dataset, Part, read_split, scan, write_split

LayOut = Callable[..., Path]


def counts(dataset: Dataset) -> dict[str, int]:
    return {name: len(part) for name, part in dataset.parts().items()}


def per_class(part: Part) -> list[int]:
    return [count for _, count in sorted(Counter(part.labels).items())]


def class_folders(part: Part) -> list[str]:
    return [Path(path).parent.name for path in part.paths]


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
def test_part_folders_are_known_by_their_usual_names(lay_out: LayOut, train: str, val: str, test: str) -> None:
    root = lay_out({f"{part}/{label}": n for part, n in ((train, 4), (val, 2), (test, 3)) for label in ("cat", "dog")})
    dataset = scan(root)
    assert (dataset.classes, counts(dataset)) == (("cat", "dog"), {"train": 8, "val": 4, "test": 6})


def test_every_picture_of_a_part_folder_is_in_that_part(lay_out: LayOut) -> None:
    root = lay_out({f"{part}/{label}": 3 for part in PARTS for label in ("cat", "dog")})
    parts = scan(root).parts()
    assert {name: {Path(path).parts[-3] for path in part.paths} for name, part in parts.items()} == {p: {p} for p in PARTS}


def test_class_folders_are_cut_into_three_parts(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat": 20, "dog": 40}))) == {"train": 48, "val": 6, "test": 6}


def test_a_cut_takes_its_share_of_every_class(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 20, "dog": 40}))
    assert [per_class(part) for part in dataset.parts().values()] == [[16, 32], [2, 4], [2, 4]]


def test_a_rare_class_still_gets_a_picture_in_every_part(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"common": 30, "rare": 3}))
    assert [per_class(part)[1] for part in dataset.parts().values()] == [1, 1, 1]


def test_a_cut_loses_and_doubles_no_picture(lay_out: LayOut) -> None:
    root = lay_out({"cat": 11, "dog": 13})
    paths = [path for part in scan(root).parts().values() for path in part.paths]
    assert sorted(paths) == sorted(map(str, root.rglob("*.png")))


def test_the_same_seed_cuts_the_same(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    assert scan(root, seed=5) == scan(root, seed=5)


def test_another_seed_cuts_differently(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    assert set(scan(root, seed=5).test.paths) != set(scan(root, seed=6).test.paths)


def test_a_missing_test_part_is_cut_from_train_and_val_stays_as_it_is(lay_out: LayOut) -> None:
    root = lay_out({"train/cat": 18, "train/dog": 18, "val/cat": 5, "val/dog": 5})
    dataset = scan(root)
    assert counts(dataset) == {"train": 32, "val": 10, "test": 4}
    assert {Path(path).parts[-3] for path in dataset.test.paths} == {"train"}
    assert not set(dataset.train.paths) & set(dataset.test.paths)


def test_a_missing_val_part_is_cut_from_train_and_test_stays_as_it_is(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"train/cat": 18, "train/dog": 18, "test/cat": 5, "test/dog": 5}))
    assert counts(dataset) == {"train": 32, "val": 4, "test": 10}
    assert {Path(path).parts[-3] for path in dataset.val.paths} == {"train"}


@pytest.mark.parametrize("part", PARTS)
def test_a_label_means_the_class_of_its_folder_in_every_part(lay_out: LayOut, part: str) -> None:
    root = lay_out({f"{p}/{label}": 2 for p in PARTS for label in ("zebra", "ant", "Moth")})
    dataset = scan(root)
    found = dataset.parts()[part]
    assert [dataset.classes[label] for label in found.labels] == class_folders(found)


def test_labels_keep_to_their_pictures_through_a_cut(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"zebra": 9, "ant": 12, "Moth": 7}))
    labels = [dataset.classes[label] for part in dataset.parts().values() for label in part.labels]
    assert labels == [name for part in dataset.parts().values() for name in class_folders(part)]


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_training_never_sees_is_named(lay_out: LayOut, part: str) -> None:
    root = lay_out({f"{p}/{label}": 3 for p in ("train", "val", "test") for label in ("cat", "dog")} | {f"{part}/wolf": 3})
    with pytest.raises(DatasetError, match=rf"'wolf' is in {part} but not in train"):
        scan(root)


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_a_part_lacks_is_named(lay_out: LayOut, part: str) -> None:
    layout = {f"{p}/{label}": 3 for p in ("train", "val", "test") for label in ("cat", "dog")}
    del layout[f"{part}/dog"]
    with pytest.raises(DatasetError, match=rf"'dog' has no pictures in {part}"):
        scan(lay_out(layout))


@pytest.mark.parametrize(
    ("layout", "found"), [({}, "none"), ({"cat": 9}, "cat"), ({"train/cat": 9, "test/cat": 3}, "cat")], ids=str
)
def test_fewer_than_two_classes_are_named(tmp_path: Path, lay_out: LayOut, layout: dict[str, int], found: str) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    lay_out(layout)
    with pytest.raises(DatasetError, match=rf"fewer than two class folders to train on \({found}\)"):
        scan(tmp_path / "data")


@pytest.mark.parametrize(
    "layout", [{"cat": 9, "dog": 9, "empty": 0}, {"train/cat": 9, "train/empty": 0}], ids=["flat", "parts"]
)
def test_an_empty_class_folder_is_named(lay_out: LayOut, layout: dict[str, int]) -> None:
    with pytest.raises(DatasetError, match="'empty' has no pictures"):
        scan(lay_out(layout))


def test_a_class_with_too_few_pictures_to_split_is_named_with_the_least_number(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"few holds 2 pictures, too few to split; 3 is the least"):
        scan(lay_out({"cat": 9, "few": 2}))


def test_parts_without_a_train_folder_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="but no train folder"):
        scan(lay_out({"val/cat": 3, "val/dog": 3}))


def test_parts_beside_other_folders_are_refused_with_both_lists(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"mixes parts \(train, val\) with other folders \(wolf\)"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "val/cat": 3, "val/dog": 3, "wolf": 3}))


def test_two_folders_for_one_part_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="two folders for one part"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "Training/cat": 3, "Training/dog": 3}))


@pytest.mark.parametrize("name", ["missing", "file.png"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=f"{name} is no folder"):
        scan(tmp_path / name)


def test_hidden_folders_are_no_classes_and_hold_no_pictures(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 5, "dog": 5, ".cache": 5, "cat/.thumbnails": 5}))
    assert (dataset.classes, sum(counts(dataset).values())) == (("cat", "dog"), 10)


def test_files_that_a_mac_leaves_beside_pictures_are_no_pictures(lay_out: LayOut) -> None:
    root = lay_out({"cat": 5, "dog": 5})
    (root / "cat" / "._00.png").write_bytes(b"\0\5\26\7")
    assert not [path for part in scan(root).parts().values() for path in part.paths if "._" in path]


def test_files_that_are_no_pictures_are_counted(lay_out: LayOut) -> None:
    root = lay_out({"cat": 5, "dog": 5})
    for name in ("notes.txt", "._00.png", "Thumbs.db"):
        (root / "cat" / name).write_bytes(b"x")
    assert scan(root).skipped == 3


def test_pictures_are_found_in_depth(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat/day/one": 8, "cat/night": 2, "dog": 10}))) == {"train": 16, "val": 2, "test": 2}


def test_a_class_folder_may_be_a_link(tmp_path: Path, lay_out: LayOut) -> None:
    root = lay_out({"cat": 5})
    elsewhere = tmp_path / "elsewhere"
    (root / "cat").rename(elsewhere)
    (root / "cat").symlink_to(elsewhere)
    (root / "dog").symlink_to(elsewhere)
    dataset = scan(root)
    assert (dataset.classes, sum(counts(dataset).values())) == (("cat", "dog"), 10)


ODD_NAMES = {
    "not utf-8": b"caf\xe9.png",
    "newline": b"two\nlines.png",
    "carriage return": b"back\rspace.png",
    "comma and quotes": b'a, "b".png',
    "backslash": b"back\\slash\\n.png",
    "formula": b"=1+1.png",
    "escape": b"\x1b[31mred.png",
    "utf-8": "naïve 猫 🐱.png".encode(),
}


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_any_file_name_survives_split_csv(lay_out: LayOut, tmp_path: Path, name: bytes) -> None:
    root = lay_out({"train/cat": 2, "train/dog": 2, "val/cat": 2, "val/dog": 2, "test/cat": 2, "test/dog": 2})
    os.rename(root / "val" / "cat" / "00.png", os.path.join(os.fsencode(root), b"val", b"cat", name))
    dataset = scan(root)
    write_split(dataset, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", "val", dataset.classes) == dataset.val


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines", b"=sum(1)"], ids=["not utf-8", "newline", "formula"])
def test_any_class_name_survives_split_csv(lay_out: LayOut, tmp_path: Path, name: bytes) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    os.rename(root / "dog", os.path.join(os.fsencode(root), name))
    dataset = scan(root)
    write_split(dataset, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", "train", dataset.classes) == dataset.train


@pytest.mark.parametrize("part", PARTS)
def test_split_csv_gives_every_part_back(lay_out: LayOut, tmp_path: Path, part: str) -> None:
    dataset = scan(lay_out({"cat": 10, "dog": 10}))
    write_split(dataset, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", part, dataset.classes) == dataset.parts()[part]


def test_split_csv_holds_paths_that_work_from_any_folder(
    lay_out: LayOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out({"cat": 10, "dog": 10})
    monkeypatch.chdir(tmp_path)
    dataset = scan(Path("data"))
    write_split(dataset, tmp_path / "split.csv")
    monkeypatch.chdir("/")
    assert all(map(os.path.isfile, read_split(tmp_path / "split.csv", "train", dataset.classes).paths))


@pytest.mark.parametrize(
    "content",
    [b"path,label,part\na.png,wolf,val\n", b"name,kind\na.png,cat\n,\n", b"path,label,part\n\xff\xfe,cat,val\n"],
    ids=["other classes", "other columns", "not text"],
)
def test_a_foreign_split_csv_is_refused_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "split.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"no split of this model's pictures .* --data DIR"):
        read_split(tmp_path / "split.csv", "val", ("cat", "dog"))
