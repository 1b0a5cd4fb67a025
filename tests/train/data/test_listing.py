"""Finding labelled images: what counts as a class folder, a split folder or an image, and how CSV files are read."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.dataset import scan
from edgeclf.train.data.listing import SPLITS, list_images
from edgeclf.train.data.splitting import Splitting
from tests.support.datasets import counts, rows_of, write_csv

LayOut = Callable[..., Path]


def test_images_without_a_split_are_listed_as_train(lay_out: LayOut) -> None:
    root = lay_out({"cat": 2, "dog": 1})
    (root / "cat" / "notes.txt").write_text("x")
    cat, dog = root / "cat", root / "dog"
    listing = list_images(root)
    assert listing.found == {"train": {"cat": [f"{cat}/00.png", f"{cat}/01.png"], "dog": [f"{dog}/00.png"]}}
    assert listing.others == {".txt": 1}


def test_split_folders_without_train_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match="no train folder"):
        scan(lay_out({"val/cat": 3, "val/dog": 3}))


def test_split_folders_beside_other_folders_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"splits \(train, val\) with other folders \(wolf\)"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "val/cat": 3, "val/dog": 3, "wolf": 3}))


def test_two_folders_for_one_split_are_refused(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"two folders for one split.*Training"):
        scan(lay_out({"train/cat": 3, "train/dog": 3, "Training/cat": 3, "Training/dog": 3}))


@pytest.mark.parametrize(
    ("name", "keyword"), [("missing", "does not exist"), ("file.png", "is not a folder"), ("net.onnx", "is a model")]
)
def test_a_path_that_is_not_a_folder_is_refused(tmp_path: Path, name: str, keyword: str) -> None:
    for file in ("file.png", "net.onnx"):
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(DatasetError, match=f"{name} {keyword}"):
        scan(tmp_path / name)


def test_hidden_folders_are_ignored(lay_out: LayOut) -> None:
    dataset = scan(lay_out({"cat": 5, "dog": 5, ".cache": 5, "cat/.thumbnails": 5}))
    assert (dataset.classes, sum(counts(dataset).values())) == (("cat", "dog"), 10)


def test_other_files_are_skipped_and_counted(lay_out: LayOut) -> None:
    root = lay_out({"cat": 5, "dog": 5})
    for name in ("notes.txt", "._00.png", "Thumbs.db"):  # macOS and Windows write the last two
        (root / "cat" / name).write_bytes(b"x")
    dataset = scan(root)
    assert dataset.skipped == 3
    assert not [path for split in dataset.splits().values() for path in split.paths if "._" in path]


def test_images_in_sub_folders_of_a_class_belong_to_it(lay_out: LayOut) -> None:
    assert counts(scan(lay_out({"cat/day/one": 8, "cat/night": 2, "dog": 10}))) == {"train": 16, "val": 2, "test": 2}


def test_a_class_folder_may_be_a_link(tmp_path: Path, lay_out: LayOut) -> None:
    root = lay_out({"cat": 5})
    elsewhere = tmp_path / "elsewhere"
    (root / "cat").rename(elsewhere)
    (root / "cat").symlink_to(elsewhere)
    (root / "dog").symlink_to(elsewhere)
    dataset = scan(root)
    assert (dataset.classes, sum(counts(dataset).values())) == (("cat", "dog"), 10)


@pytest.mark.parametrize("wrapping", ["photos", "a/b"], ids=["one", "two"])
def test_a_folder_around_all_classes_is_skipped(lay_out: LayOut, wrapping: str) -> None:
    dataset = scan(lay_out({f"{wrapping}/{label}": 10 for label in ("cat", "dog")}))
    assert (dataset.classes, counts(dataset)) == (("cat", "dog"), {"train": 16, "val": 2, "test": 2})


def test_a_folder_around_all_splits_is_skipped(lay_out: LayOut) -> None:
    dataset = scan(lay_out({f"photos/{split}/{label}": 3 for split in SPLITS for label in ("cat", "dog")}))
    assert counts(dataset) == {"train": 6, "val": 6, "test": 6}


def test_what_archives_add_beside_the_folder_is_ignored(lay_out: LayOut) -> None:
    root = lay_out({"photos/cat": 5, "photos/dog": 5, "__MACOSX/photos": 5, ".cache": 5})
    (root / "README.txt").write_text("Photographs of pets.")
    assert scan(root).classes == ("cat", "dog")


def test_the_folder_that_macos_adds_to_archives_is_not_a_class(lay_out: LayOut) -> None:
    assert scan(lay_out({"cat": 5, "dog": 5, "__MACOSX": 5})).classes == ("cat", "dog")


@pytest.mark.parametrize("folder", ["", "cat"], ids=["beside it", "in it"])
def test_a_single_folder_with_images_is_a_class(lay_out: LayOut, folder: str) -> None:
    root = lay_out({"cat/day": 5, "cat/night": 5})
    shutil.copy(root / "cat" / "day" / "00.png", root / folder / "one.png")
    with pytest.raises(DatasetError, match=r"fewer than two class folders .*\(cat\)"):
        scan(root)


def test_a_link_to_a_folder_around_all_classes_is_followed(tmp_path: Path, lay_out: LayOut) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "photos").symlink_to(lay_out({"cat": 5, "dog": 5}))
    assert scan(tmp_path / "elsewhere").classes == ("cat", "dog")


def test_a_folder_that_holds_only_a_link_to_itself_is_refused(lay_out: LayOut) -> None:
    root = lay_out({})
    root.mkdir()
    (root / "loop").symlink_to(root)
    with pytest.raises(DatasetError, match="fewer than two class folders"):
        scan(root)


def test_a_csv_file_is_split_like_its_folder(lay_out: LayOut) -> None:
    root = lay_out({"cat": 20, "dog": 40})
    assert scan(write_csv(root / "pets.CSV", ["path,label", *rows_of(root)])) == scan(root)


@pytest.mark.parametrize("column", ["part", "split"])
def test_a_csv_file_may_name_splits(lay_out: LayOut, column: str) -> None:
    root = lay_out({"a": 6})
    splits = ("train", "Training", "val", "valid", "TEST", "testing")
    rows = [f"a/0{n}.png,{label},{split}" for n, (split, label) in enumerate(zip(splits, ("cat", "dog") * 3, strict=True))]
    dataset = scan(write_csv(root / "pets.csv", [f"path,label,{column}", *rows]))
    assert {name: [Path(path).name for path in split.paths] for name, split in dataset.splits().items()} == {
        "train": ["00.png", "01.png"],
        "val": ["02.png", "03.png"],
        "test": ["04.png", "05.png"],
    }


def test_paths_in_a_csv_file_are_relative_to_its_folder(
    lay_out: LayOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    write_csv(root / "pets.csv", ["path,label", *rows_of(root)])
    monkeypatch.chdir(tmp_path)
    assert all(map(os.path.isfile, scan(Path("data/pets.csv")).train.paths))


def test_paths_in_a_csv_file_may_be_absolute(lay_out: LayOut, tmp_path: Path) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    rows = [f"{root}/{row}" for row in rows_of(root)]
    assert scan(write_csv(tmp_path / "pets.csv", ["path,label", *rows])) == scan(root)


def test_a_csv_file_may_have_a_byte_order_mark_and_more_columns(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    rows = ["path,label,width,notes", *(f"{row},24,fine" for row in rows_of(root))]
    (root / "pets.csv").write_text("\ufeff" + "\r\n".join(rows), "utf-8")
    assert scan(root / "pets.csv") == scan(root)


def test_images_in_the_folder_of_a_csv_file_have_no_group(lay_out: LayOut) -> None:
    root = lay_out({"p1": 3, "p2": 3})
    loose = [f"{number}.png,{label}" for number, label in enumerate(("cat", "dog") * 5)]
    rows = [f"{folder}/{number:02}.png,cat" for folder in ("p1", "p2") for number in range(3)]
    assert scan(write_csv(root / "pets.csv", ["path,label", *loose, *rows]), Splitting(by="folder")).ungrouped == 10


def test_a_csv_file_is_grouped_by_the_folders_in_its_paths(lay_out: LayOut) -> None:
    root = lay_out({f"p{number}": 6 for number in range(10)})
    rows = [f"p{n}/{i:02}.png,{'cat' if i < 3 else 'dog'}" for n in range(10) for i in range(6)]
    dataset = scan(write_csv(root / "pets.csv", ["path,label", *rows]), Splitting(by="folder"))
    folders = [{Path(path).parent.name for path in split.paths} for split in dataset.splits().values()]
    assert ([len(names) for names in folders], len(set.union(*folders))) == ([8, 1, 1], 10)


def test_backslashes_in_a_csv_file_are_not_escapes(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    os.rename(root / "cat" / "00.png", root / "cat" / r"\new.png")
    assert scan(write_csv(root / "pets.csv", ["path,label", *rows_of(root)])) == scan(root)


def test_paths_in_a_csv_file_may_be_written_as_on_windows(lay_out: LayOut) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    rows = [row.replace("/", "\\") for row in rows_of(root)]
    assert scan(write_csv(root / "pets.csv", ["path,label", *rows])) == scan(root)


def test_images_without_class_folders_are_refused_with_the_way_out(lay_out: LayOut) -> None:
    with pytest.raises(DatasetError, match=r"holds images but no class folders; .*--label-from"):
        scan(lay_out({"": 9}))


FAULTY_CSV_FILES = {
    "empty": (b"", "line 1 .*path and label, not ''"),
    "other columns": (b"file;label\n1.png;cat\n", "line 1 .*path and label, not 'file;label'"),
    "no path": (b"path,label\n1.png,cat\n\n,dog\n", "line 4 .*path"),
    "no label": (b"path,label\n1.png,cat\n2.png\n", "line 3 .*label"),
    "after a line break in a cell": (b'path,label\n1.png,"ca\nt"\n2.png,\n', "line 4 .*label"),
    "nul": (b"path,label,part\n1.png,cat,train\n2\\x00.png,cat,train\n", "line 3 .*path"),
    "no split": (b"path,label,part\n1.png,cat,train\n2.png,dog,\n", "line 3 has the split ''; .*train, val, test"),
    "unknown split": (b"path,label,split\n1.png,cat,dev\n", "line 2 has the split 'dev'"),
    "twice": (b"path,label\n1.png,cat\n2.png,dog\n1.png,dog\n", "line 4: '.*1.png' is already in line 2"),
    "not utf-8": (b"path,label\ncaf\xe9.png,cat\n", "UTF-8"),
    "open quote": (b'path,label\n"1.png,cat\n2.png,dog\n', "cannot be read as a CSV file"),
    "no rows": (b"path,label\n", r"fewer than two labels .*\(none\)"),
    "one label": (b"path,label\n1.png,cat\n2.png,cat\n", r"fewer than two labels .*\(cat\)"),
    "no train": (b"path,label,part\n1.png,cat,val\n", "has val but no train rows"),
}


@pytest.mark.parametrize(("content", "pattern"), FAULTY_CSV_FILES.values(), ids=FAULTY_CSV_FILES)
def test_a_faulty_csv_file_is_refused_with_the_line(tmp_path: Path, content: bytes, pattern: str) -> None:
    (tmp_path / "pets.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=f"pets.csv.*{pattern}"):
        scan(tmp_path / "pets.csv")
