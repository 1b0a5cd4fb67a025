"""`split.csv` gives back every image of a run, with any name, in the same split and order."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import DatasetError
from edgeclf.train.data.dataset import Dropped, read_dataset, read_split, scan, write_split
from edgeclf.train.data.listing import SPLITS
from edgeclf.train.data.splitting import Splitting
from tests.support.datasets import ODD_NAMES, write_csv

LayOut = Callable[..., Path]


def test_every_split_can_be_read_back(lay_out: LayOut, tmp_path: Path) -> None:
    dataset = scan(lay_out({"cat": 10, "dog": 10}))
    write_split(dataset, tmp_path / "split.csv")
    assert {name: read_split(tmp_path / "split.csv", name, dataset.classes) for name in SPLITS} == dataset.splits()


def test_dropped_images_are_listed_and_not_read_back(lay_out: LayOut, tmp_path: Path) -> None:
    dataset = scan(lay_out({"cat": 10, "dog": 10}))
    first = dataset.train.paths[0]
    dropped = replace(dataset, dropped=(Dropped(first + "\n.png", 1, first),))
    write_split(dropped, tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text().splitlines()[-1] == f"{first}\\n.png,dog,dropped,{first}"
    assert read_dataset(tmp_path / "split.csv") == scan(tmp_path / "split.csv") == dataset


def test_files_with_odd_names_can_be_read_back_and_scanned(lay_out: LayOut, tmp_path: Path) -> None:
    root = lay_out({f"{split}/{label}": len(ODD_NAMES) for split in SPLITS for label in ("cat", "dog")})
    for number, name in enumerate(ODD_NAMES.values()):
        os.rename(root / "val" / "cat" / f"{number:02}.png", os.path.join(os.fsencode(root), b"val", b"cat", name))
    dataset = scan(root)
    write_split(dataset, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", "val", dataset.classes) == dataset.val
    assert scan(tmp_path / "split.csv") == read_dataset(tmp_path / "split.csv") == dataset


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines", b"=sum(1)"], ids=["not utf-8", "newline", "formula"])
def test_classes_with_odd_names_can_be_read_back(lay_out: LayOut, tmp_path: Path, name: bytes) -> None:
    root = lay_out({"cat": 9, "dog": 9})
    os.rename(root / "dog", os.path.join(os.fsencode(root), name))
    dataset = scan(root)
    write_split(dataset, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv", "train", dataset.classes) == dataset.train


def test_its_paths_work_from_any_folder(lay_out: LayOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_another_models_split_csv_is_refused_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "split.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"split\.csv .*this model's images .*--data DIR"):
        read_split(tmp_path / "split.csv", "val", ("cat", "dog"))


@pytest.mark.parametrize(
    "layout",
    [{"cat": 10, "dog": 10, "cat-2": 9}, {f"{split}/{label}": 3 for split in SPLITS for label in ("zebra", "ant")}],
    ids=["flat", "split folders"],
)
def test_a_dataset_can_be_read_back(lay_out: LayOut, tmp_path: Path, layout: dict[str, int]) -> None:
    dataset = scan(lay_out(layout), Splitting(seed=4))
    write_split(dataset, tmp_path / "split.csv")
    assert read_dataset(tmp_path / "split.csv") == dataset


@pytest.mark.parametrize(
    ("rows", "pattern"),
    [
        (["a.png,cat,train", "b.png,dog,train"], "'cat' has no images in val"),
        (["a.png,cat,train", "b.png,dog,train", "c.png,wolf,test"], "'cat' has no images in val"),
        (["a.png,cat,train", "b.png,cat,val", "c.png,cat,test"], "fewer than two labels"),
    ],
    ids=["no val", "another class", "one class"],
)
def test_a_csv_file_that_no_run_wrote_is_refused(tmp_path: Path, rows: list[str], pattern: str) -> None:
    with pytest.raises(DatasetError, match=pattern):
        read_dataset(write_csv(tmp_path / "split.csv", ["path,label,part", *rows]))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"split\.csv cannot be read"):
        read_dataset(tmp_path / "split.csv")
