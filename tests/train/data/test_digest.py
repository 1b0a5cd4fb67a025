"""The digest of a data set: the same images give the same one, wherever they are."""

from pathlib import Path

import numpy as np

from edgeclf.train.data.dataset import Split
from edgeclf.train.data.digest import data_digest


def splits(folder: Path, sizes: tuple[int, ...] = (1, 2)) -> dict[str, Split]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(bytes(size))
    return {"train": Split(tuple(map(str, paths)), np.arange(len(sizes)))}


def test_the_place_of_the_images_does_not_matter(tmp_path: Path) -> None:
    assert data_digest(splits(tmp_path / "a")) == data_digest(splits(tmp_path / "b"))


def test_another_size_another_split_and_another_label_do(tmp_path: Path) -> None:
    usual = splits(tmp_path / "a")["train"]
    digests = {
        data_digest({"train": usual}),
        data_digest({"val": usual}),
        data_digest({"train": Split(usual.paths, usual.labels[::-1])}),
        data_digest(splits(tmp_path / "b", (1, 3))),
    }
    assert len(digests) == 4


def test_an_image_that_is_gone_counts_too(tmp_path: Path) -> None:
    found = splits(tmp_path / "a")
    before = data_digest(found)
    (tmp_path / "a/0.png").unlink()
    assert data_digest(found) != before
