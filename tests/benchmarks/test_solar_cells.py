"""The demo uses all images, stratified as in the paper, and always splits them the same way."""

import os
from pathlib import Path

import pytest

from edgeclf.benchmarks import solar_cells
from edgeclf.benchmarks.solar_cells import make_folders


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells") / "solar-cells"
    make_folders(folder)
    return folder


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links the images instead of copying them, which is enough for the tests that only look at names."""
    monkeypatch.setattr(solar_cells.shutil, "copyfile", os.symlink)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.png"))


def test_every_cell_is_in_exactly_one_split(cells: Path) -> None:
    assert names(cells) == [f"cell{number:04}.png" for number in range(1, 2625)]


def test_a_quarter_is_held_out_as_in_the_paper(cells: Path) -> None:
    assert (len(names(cells / "test")), len(names(cells / "val")) + len(names(cells / "train"))) == (656, 1968)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_each_split_has_the_share_of_defective_cells(split: str, cells: Path) -> None:
    # 68.7 % are functional at the threshold of 0.5.
    share = len(names(cells / split / "functional")) / len(names(cells / split))
    assert share == pytest.approx(1803 / 2624, abs=0.01)


@pytest.mark.usefixtures("linked")
def test_the_split_is_the_same_every_time(cells: Path, tmp_path: Path) -> None:
    make_folders(tmp_path / "again")
    assert names(tmp_path / "again" / "test" / "defective") == names(cells / "test" / "defective")


@pytest.mark.usefixtures("linked")
def test_another_seed_makes_another_split(cells: Path, tmp_path: Path) -> None:
    make_folders(tmp_path / "other", seed=1)
    assert names(tmp_path / "other" / "test" / "defective") != names(cells / "test" / "defective")
