"""Finding images, naming classes, splitting."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.dataset import Dataset, Split, find, read_dataset, read_split, scan, write_split
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.splitting import Splitting

LayOut = Callable[..., Path]


def counts(dataset: Dataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits().items()}


def per_class(split: Split) -> list[int]:
    return [count for _, count in sorted(Counter(split.labels).items())]


def class_folders(split: Split) -> list[str]:
    return [Path(path).parent.name for path in split.paths]


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
    root = lay_out({f"{split}/{label}": n for split, n in ((train, 4), (val, 2), (test, 3)) for label in ("cat", "dog")})
    dataset = scan(root)
    assert (dataset.classes, counts(dataset)) == (("cat", "dog"), {"train": 8, "val": 4, "test": 6})


def test_every_image_of_a_part_folder_is_in_that_part(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in SPLITS for label in ("cat", "dog")})
    splits = scan(root).splits()
    assert {name: {Path(path).parts[-3] for path in split.paths} for name, split in splits.items()} == {
        p: {p} for p in SPLITS
    }


def test_class_folders_are_cut_into_three_parts(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat": 20, "dog": 40}))) == {"train": 48, "val": 6, "test": 6}


def test_a_cut_takes_its_share_of_every_class(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 20, "dog": 40}))
    assert [per_class(split) for split in dataset.splits().values()] == [[16, 32], [2, 4], [2, 4]]


def test_a_rare_class_still_gets_an_image_in_every_split(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"common": 30, "rare": 3}))
    assert [per_class(split)[1] for split in dataset.splits().values()] == [1, 1, 1]


def test_a_cut_loses_and_doubles_no_image(lay_out: LayOut) -> None:
    root = lay_out({"cat": 11, "dog": 13})
    paths = [path for split in scan(root).splits().values() for path in split.paths]
    assert sorted(paths) == sorted(map(str, root.rglob("*.png")))


def test_the_same_seed_cuts_the_same(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    assert scan(root, Splitting(seed=5)) == scan(root, Splitting(seed=5))


def test_another_seed_cuts_differently(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 20})
    assert set(scan(root, Splitting(seed=5)).test.paths) != set(scan(root, Splitting(seed=6)).test.paths)


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


@pytest.mark.parametrize("split", SPLITS)
def test_a_label_means_the_class_of_its_folder_in_every_split(lay_out: LayOut, split: str) -> None:
    root = lay_out({f"{p}/{label}": 2 for p in SPLITS for label in ("zebra", "ant", "Moth")})
    dataset = scan(root)
    found = dataset.splits()[split]
    assert [dataset.classes[label] for label in found.labels] == class_folders(found)


def test_labels_keep_to_their_images_through_a_cut(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"zebra": 9, "ant": 12, "Moth": 7}))
    labels = [dataset.classes[label] for split in dataset.splits().values() for label in split.labels]
    assert labels == [name for split in dataset.splits().values() for name in class_folders(split)]


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_training_never_sees_is_named(lay_out: LayOut, split: str) -> None:
    root = lay_out({f"{p}/{label}": 3 for p in ("train", "val", "test") for label in ("cat", "dog")} | {f"{split}/wolf": 3})
    with pytest.raises(DatasetError, match=rf"'wolf' is in {split} but not in train"):
        scan(root)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_a_split_lacks_is_named(lay_out: LayOut, split: str) -> None:
    layout = {f"{p}/{label}": 3 for p in ("train", "val", "test") for label in ("cat", "dog")}
    del layout[f"{split}/dog"]
    with pytest.raises(DatasetError, match=rf"'dog' has no images in {split}"):
        scan(lay_out(layout))


@pytest.mark.parametrize(
    ("layout", "found"),
    [({}, "none"), ({"cat": 9}, "cat"), ({"cat": 0}, "cat"), ({"train/cat": 9, "test/cat": 3}, "cat")],
    ids=str,
)
def test_fewer_than_two_classes_are_named(tmp_path: Path, lay_out: LayOut, layout: dict[str, int], found: str) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    lay_out(layout)
    with pytest.raises(DatasetError, match=rf"fewer than two class folders to train on \({found}\)"):
        scan(tmp_path / "data")


@pytest.mark.parametrize(
    "layout", [{"cat": 9, "dog": 9, "empty": 0}, {"train/cat": 9, "train/empty": 0}], ids=["flat", "splits"]
)
def test_an_empty_class_folder_is_named(lay_out: LayOut, layout: dict[str, int]) -> None:
    with pytest.raises(DatasetError, match="'empty' has no images"):
        scan(lay_out(layout))


def test_a_class_with_too_few_images_to_split_is_named_with_the_least_number(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"few holds 2 images, too few to split; 3 it needs at least"):
        scan(lay_out({"cat": 9, "few": 2}))


def test_parts_without_a_train_folder_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="but no train folder"):
        scan(lay_out({"val/cat": 3, "val/dog": 3}))


def test_parts_beside_other_folders_are_refused_with_both_lists(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"mixes splits \(train, val\) with other folders \(wolf\)"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "val/cat": 3, "val/dog": 3, "wolf": 3}))


def test_two_folders_for_one_part_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="two folders for one split"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "Training/cat": 3, "Training/dog": 3}))


@pytest.mark.parametrize("name", ["missing", "file.png"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=f"{name} is no folder"):
        scan(tmp_path / name)


def test_hidden_folders_are_no_classes_and_hold_no_images(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 5, "dog": 5, ".cache": 5, "cat/.thumbnails": 5}))
    assert (dataset.classes, sum(counts(dataset).values())) == (("cat", "dog"), 10)


def test_files_that_a_mac_leaves_beside_images_are_no_images(lay_out: LayOut) -> None:
    root = lay_out({"cat": 5, "dog": 5})
    (root / "cat" / "._00.png").write_bytes(b"\0\5\26\7")
    assert not [path for split in scan(root).splits().values() for path in split.paths if "._" in path]


def test_files_that_are_no_images_are_counted(lay_out: LayOut) -> None:
    root = lay_out({"cat": 5, "dog": 5})
    for name in ("notes.txt", "._00.png", "Thumbs.db"):
        (root / "cat" / name).write_bytes(b"x")
    assert scan(root).skipped == 3


def test_images_are_found_in_depth(lay_out: LayOut) -> None:
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


@pytest.mark.parametrize("split", SPLITS)
def test_split_csv_gives_every_split_back(lay_out: LayOut, tmp_path: Path, split: str) -> None:
    dataset = scan(lay_out({"cat": 10, "dog": 10}))
    write_split(dataset, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", split, dataset.classes) == dataset.splits()[split]


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
    with pytest.raises(DatasetError, match=r"no split of this model's images .* --data DIR"):
        read_split(tmp_path / "split.csv", "val", ("cat", "dog"))


def as_csv(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def listed(root: Path) -> list[str]:
    """A row for every image below `root`, with its class folder as the label."""
    return [f"{path.relative_to(root)},{path.parent.name}" for path in sorted(root.rglob("*.png"))]


@pytest.mark.parametrize("wrapping", ["photos", "a/b"], ids=["one", "two"])
def test_a_folder_around_all_classes_is_passed_through(lay_out: LayOut, wrapping: str) -> None:
    dataset = scan(lay_out({f"{wrapping}/{label}": 10 for label in ("cat", "dog")}))
    assert (dataset.classes, counts(dataset)) == (("cat", "dog"), {"train": 16, "val": 2, "test": 2})


def test_a_folder_around_all_parts_is_passed_through(lay_out: LayOut) -> None:
    dataset = scan(lay_out({f"photos/{split}/{label}": 3 for split in SPLITS for label in ("cat", "dog")}))
    assert counts(dataset) == {"train": 6, "val": 6, "test": 6}


def test_what_archives_add_beside_the_folder_does_not_count(lay_out: LayOut) -> None:
    root = lay_out({"photos/cat": 5, "photos/dog": 5, "__MACOSX/photos": 5, ".cache": 5})
    (root / "README.txt").write_text("Photographs of pets.")
    assert scan(root).classes == ("cat", "dog")


def test_what_a_mac_adds_to_archives_is_no_class(lay_out: LayOut) -> None:
    assert scan(lay_out({"cat": 5, "dog": 5, "__MACOSX": 5})).classes == ("cat", "dog")


@pytest.mark.parametrize("folder", ["", "cat"], ids=["beside it", "in it"])
def test_a_folder_with_images_is_a_class_and_not_passed_through(lay_out: LayOut, folder: str) -> None:
    root = lay_out({"cat/day": 5, "cat/night": 5})
    shutil.copy(root / "cat" / "day" / "00.png", root / folder / "one.png")
    with pytest.raises(DatasetError, match=r"data has fewer than two class folders to train on \(cat\)"):
        scan(root)


def test_a_link_to_a_folder_around_all_classes_is_passed_through(tmp_path: Path, lay_out: LayOut) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "photos").symlink_to(lay_out({"cat": 5, "dog": 5}))
    assert scan(tmp_path / "elsewhere").classes == ("cat", "dog")


def test_a_folder_that_holds_only_itself_is_refused(lay_out: LayOut) -> None:
    root = lay_out({})
    root.mkdir()
    (root / "loop").symlink_to(root)
    with pytest.raises(DatasetError, match=r"data has fewer than two class folders to train on \(loop\)"):
        scan(root)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_split_in_a_folder_of_its_own_is_taken_whole(lay_out: LayOut, split: str) -> None:
    root = lay_out({f"{top}/{label}": count for top, count in (("mine", 18), ("theirs", 5)) for label in ("dog", "cat")})
    dataset = scan(root / "mine", replace(Splitting(), **{split: root / "theirs"}))
    assert counts(dataset) == {"train": 32, "val": 4, "test": 4} | {split: 10}
    assert {Path(path).parts[-3] for path in dataset.splits()[split].paths} == {"theirs"}


def test_two_parts_in_folders_of_their_own_leave_training_whole(lay_out: LayOut) -> None:
    root = lay_out({f"{top}/{label}": count for top, count in (("a", 9), ("b", 2), ("c", 3)) for label in ("cat", "dog")})
    assert counts(scan(root / "a", Splitting(val=root / "b", test=root / "c"))) == {"train": 18, "val": 4, "test": 6}


def test_classes_of_a_part_of_its_own_are_known_by_name(lay_out: LayOut) -> None:
    root = lay_out({f"mine/{label}": 9 for label in ("zebra", "ant", "Moth")} | {"theirs": 3})
    as_csv(root / "theirs" / "val.csv", ["label,path", "zebra,00.png", "Moth,01.png", "ant,02.png"])
    dataset = scan(root / "mine", Splitting(val=root / "theirs" / "val.csv"))
    labels = [(dataset.classes[label], Path(path).name) for path, label in zip(*astuple(dataset.val), strict=True)]
    assert labels == [("Moth", "01.png"), ("ant", "02.png"), ("zebra", "00.png")]


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ({"cat": 2, "dog": 2, "wolf": 2}, "class 'wolf' is in val but not in train"),
        ({"cat": 2}, "class 'dog' has no images in val"),
        ({"Cat": 2, "dog": 2}, "class 'Cat' in val and 'cat' in train differ only in letter case"),
        ({"train/cat": 2, "test/cat": 2}, r"--val .*theirs has splits of its own \(test, train\); name one of them"),
        ({"train/cat": 2, "train/dog": 2}, r"--val .*theirs has splits of its own \(train\); name one of them"),
    ],
    ids=["another class", "a class less", "letter case", "splits", "one split"],
)
def test_a_part_of_its_own_that_does_not_fit_is_refused(lay_out: LayOut, layout: dict[str, int], sentence: str) -> None:
    root = lay_out({"mine/cat": 9, "mine/dog": 9} | {f"theirs/{folder}": count for folder, count in layout.items()})
    with pytest.raises(DatasetError, match=sentence):
        scan(root / "mine", Splitting(val=root / "theirs"))


@pytest.mark.parametrize("column", ["part", "split"])
def test_a_csv_file_with_parts_is_no_part_of_its_own(lay_out: LayOut, column: str) -> None:
    root = lay_out({"mine/cat": 9, "mine/dog": 9})
    split = as_csv(root / "all.csv", [f"path,label,{column}", "a.png,cat,train", "b.png,dog,train"])
    with pytest.raises(DatasetError, match=r"--test .*all.csv has splits of its own \(train\); name one of them"):
        scan(root / "mine", Splitting(test=split))


def test_letter_case_tells_classes_of_part_folders_apart_in_an_error(lay_out: LayOut) -> None:
    layout = {f"{split}/{label}": 3 for split in ("train", "test") for label in ("cat", "dog")}
    with pytest.raises(DatasetError, match="class 'Dog' in val and 'dog' in train differ only in letter case; rename one"):
        scan(lay_out(layout | {"val/cat": 3, "val/Dog": 3}))


def test_a_part_that_is_there_already_is_not_replaced(lay_out: LayOut) -> None:
    root = lay_out({f"{split}/{label}": 3 for split in ("train", "val") for label in ("cat", "dog")})
    with pytest.raises(DatasetError, match="data has a val split already; leave out --val"):
        scan(root, Splitting(val=root / "val"))


def test_an_image_in_two_parts_is_refused(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    with pytest.raises(DatasetError, match=r"00\.png is in train and in test; name other images with --test"):
        scan(root, Splitting(test=root / "cat" / ".."))


def test_a_part_that_is_nowhere_is_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="nowhere is no folder"):
        scan(lay_out({"cat": 9, "dog": 9}), Splitting(val=Path("nowhere")))


def test_a_csv_file_is_split_as_its_folder_would_be(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 40})
    assert scan(as_csv(root / "pets.CSV", ["path,label", *listed(root)])) == scan(root)


@pytest.mark.parametrize("column", ["part", "split"])
def test_a_csv_file_may_name_parts(lay_out: LayOut, column: str) -> None:
    root = lay_out({"a": 6})
    splits = ("train", "Training", "val", "valid", "TEST", "testing")
    rows = [f"a/0{n}.png,{label},{split}" for n, (split, label) in enumerate(zip(splits, ("cat", "dog") * 3, strict=True))]
    dataset = scan(as_csv(root / "pets.csv", [f"path,label,{column}", *rows]))
    assert {name: [Path(path).name for path in split.paths] for name, split in dataset.splits().items()} == {
        "train": ["00.png", "01.png"],
        "val": ["02.png", "03.png"],
        "test": ["04.png", "05.png"],
    }


def test_paths_in_a_csv_file_start_at_its_folder(lay_out: LayOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    as_csv(root / "pets.csv", ["path,label", *listed(root)])
    monkeypatch.chdir(tmp_path)
    assert all(map(os.path.isfile, scan(Path("data/pets.csv")).train.paths))


def test_paths_in_a_csv_file_may_be_absolute(lay_out: LayOut, tmp_path: Path) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    rows = [f"{root}/{row}" for row in listed(root)]
    assert scan(as_csv(tmp_path / "pets.csv", ["path,label", *rows])) == scan(root)


def test_a_csv_file_may_begin_with_a_byte_order_mark_and_have_more_columns(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    rows = ["path,label,width,notes", *(f"{row},24,fine" for row in listed(root))]
    (root / "pets.csv").write_text("\ufeff" + "\r\n".join(rows), "utf-8")
    assert scan(root / "pets.csv") == scan(root)


def test_images_beside_a_csv_file_are_each_for_themselves(lay_out: LayOut) -> None:
    root = lay_out({"p1": 3, "p2": 3})
    loose = [f"{number}.png,{label}" for number, label in enumerate(("cat", "dog") * 5)]
    rows = [f"{folder}/{number:02}.png,cat" for folder in ("p1", "p2") for number in range(3)]
    assert scan(as_csv(root / "pets.csv", ["path,label", *loose, *rows]), Splitting(by="folder")).ungrouped == 10


def test_a_csv_file_is_grouped_by_the_folders_that_it_names(lay_out: LayOut) -> None:
    root = lay_out({f"p{number}": 6 for number in range(10)})
    rows = [f"p{n}/{i:02}.png,{'cat' if i < 3 else 'dog'}" for n in range(10) for i in range(6)]
    dataset = scan(as_csv(root / "pets.csv", ["path,label", *rows]), Splitting(by="folder"))
    folders = [{Path(path).parent.name for path in split.paths} for split in dataset.splits().values()]
    assert ([len(names) for names in folders], len(set.union(*folders))) == ([8, 1, 1], 10)


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_our_own_split_csv_is_data_with_any_file_name(lay_out: LayOut, tmp_path: Path, name: bytes) -> None:
    root = lay_out({f"{split}/{label}": 2 for split in SPLITS for label in ("cat", "dog")})
    os.rename(root / "val" / "cat" / "00.png", os.path.join(os.fsencode(root), b"val", b"cat", name))
    dataset = scan(root)
    write_split(dataset, tmp_path / "split.csv")
    assert scan(tmp_path / "split.csv") == read_dataset(tmp_path / "split.csv") == dataset


def test_a_backslash_in_any_other_csv_file_is_a_backslash(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    os.rename(root / "cat" / "00.png", root / "cat" / r"\new.png")
    assert scan(as_csv(root / "pets.csv", ["path,label", *listed(root)])) == scan(root)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"pets.csv, line 1 must name the columns path and label, not ''"),
        (b"file;label\n1.png;cat\n", r"line 1 must name the columns path and label, not 'file;label'"),
        (b"path,label\n1.png,cat\n\n,dog\n", r"pets.csv, line 4 has no usable path"),
        (b"path,label\n1.png,cat\n2.png\n", r"pets.csv, line 3 has no usable label"),
        (b'path,label\n1.png,"ca\nt"\n2.png,\n', r"pets.csv, line 4 has no usable label"),
        (b"path,label,part\n1.png,cat,train\n2\\x00.png,cat,train\n", r"pets.csv, line 3 has no usable path"),
        (b"path,label,part\n1.png,cat,train\n2.png,dog,\n", r"pets.csv, line 3 has the split ''; .* train, val, test"),
        (b"path,label,split\n1.png,cat,dev\n", r"pets.csv, line 2 has the split 'dev'"),
        (b"path,label\n1.png,cat\n2.png,dog\n1.png,dog\n", r"pets.csv, line 4: '.*1.png' is already in line 2 already"),
        (b"path,label\ncaf\xe9.png,cat\n", r"pets.csv cannot be read as a CSV file in UTF-8"),
        (b'path,label\n"1.png,cat\n2.png,dog\n', r"pets.csv cannot be read as a CSV file in UTF-8"),
        (b"path,label\n", r"pets.csv has fewer than two labels to train on \(none\)"),
        (b"path,label\n1.png,cat\n2.png,cat\n", r"pets.csv has fewer than two labels to train on \(cat\)"),
        (b"path,label,part\n1.png,cat,val\n", r"pets.csv has val but no train rows"),
    ],
    ids=[
        "empty",
        "other columns",
        "no path",
        "no label",
        "after a line break in a cell",
        "nul",
        "no split",
        "unknown split",
        "twice",
        "not utf-8",
        "open quote",
        "no rows",
        "one label",
        "no train",
    ],
)
def test_a_csv_file_that_cannot_be_used_is_refused_with_the_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "pets.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=sentence):
        scan(tmp_path / "pets.csv")


@pytest.mark.parametrize(
    "layout",
    [{"cat": 10, "dog": 10, "cat-2": 9}, {f"{split}/{label}": 3 for split in SPLITS for label in ("zebra", "ant")}],
    ids=["cut", "split folders"],
)
def test_a_dataset_is_rebuilt_from_its_split_csv(lay_out: LayOut, tmp_path: Path, layout: dict[str, int]) -> None:
    dataset = scan(lay_out(layout), Splitting(seed=4))
    write_split(dataset, tmp_path / "split.csv")
    assert read_dataset(tmp_path / "split.csv") == dataset


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["a.png,cat,train", "b.png,dog,train"], "class 'cat' has no images in val"),
        (["a.png,cat,train", "b.png,dog,train", "c.png,wolf,test"], "class 'cat' has no images in val"),
        (["a.png,cat,train", "b.png,cat,val", "c.png,cat,test"], "fewer than two labels"),
    ],
    ids=["no val", "another class", "one class"],
)
def test_a_split_csv_that_no_run_wrote_is_not_rebuilt(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        read_dataset(as_csv(tmp_path / "split.csv", ["path,label,part", *rows]))


def test_a_split_csv_that_is_missing_is_not_rebuilt(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"split.csv cannot be read as a CSV file"):
        read_dataset(tmp_path / "split.csv")


def test_images_in_no_part_are_found_as_train(lay_out: LayOut) -> None:
    root = lay_out({"cat": 2, "dog": 1})
    (root / "cat" / "notes.txt").write_text("x")
    cat, dog = root / "cat", root / "dog"
    assert find(root) == ({"train": {"cat": [f"{cat}/00.png", f"{cat}/01.png"], "dog": [f"{dog}/00.png"]}}, 1)
