"""Photographs that lie in two splits are shown as pairs, with a --split-by that really keeps them together."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.train.data.arrays import load
from edgeclf.train.data.check import check
from edgeclf.train.data.dataset import Dataset, scan
from edgeclf.train.data.near_leaks import near_leak_notes
from edgeclf.train.data.splitting import Splitting
from tests.support.checkups import photograph

Write = Callable[[str, int], None]
SHAPE = Preprocess((64, 64))


def write(root: Path, names: str, scenes: int, shots: int) -> None:
    """Photographs of some scenes for each of two classes. names: with {scene} and {shot}."""
    for number, label in enumerate(("cat", "dog")):
        for scene in range(scenes):
            pixels = photograph(100 * number + scene)
            for shot in range(shots):
                path = root / label / names.format(scene=f"{label[0]}{scene:02}", shot=f"{shot:02}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_image(cv2.convertScaleAbs(pixels, alpha=1 - 0.02 * shot)))


def notes(dataset: Dataset, by: str = "") -> list[str]:
    splits = {name: load(split, SHAPE, name) for name, split in dataset.splits().items()}
    return near_leak_notes(dataset, splits, Splitting(by=by))


def test_images_that_look_alike_in_one_split_are_no_leak(tmp_path: Path) -> None:
    write(tmp_path, "{scene}_{shot}.png", 12, 1)
    assert notes(scan(tmp_path)) == []


@pytest.mark.parametrize(
    ("names", "by"),
    [
        ("{scene}_{shot}.png", r"([^/]+)[-_ ][^-_ /]*$"),
        ("{scene}x{shot}.png", r"([^/]*[^/\d])\d+\.[^/.]+$"),
        ("{scene}/{shot}-{scene}.png", "folder"),
    ],
    ids=["separator", "number", "folder"],
)
def test_the_suggestion_keeps_all_pairs_together(tmp_path: Path, names: str, by: str) -> None:
    write(tmp_path, names, 12, 3)
    first, *lines = notes(scan(tmp_path))
    assert "alike across the splits" in first
    assert lines[-1].startswith("to keep them together: --split-by ")
    assert by in lines[-1]
    assert notes(scan(tmp_path, Splitting(by=by)), by) == []
    assert check(tmp_path).split_by == by


def test_five_pairs_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    write(tmp_path, "{scene}_{shot}.png", 12, 3)
    first, *lines = notes(scan(tmp_path))
    pairs = int(first.split()[0])
    assert [line[:2] for line in lines] == ["  "] * 6 + ["to"]
    assert all(" ~ " in line and {"train", "val", "test"} & set(line.split()) for line in lines[:5])
    assert lines[5] == f"  and {pairs - 5} more"


def test_names_that_say_nothing_get_no_suggestion(tmp_path: Path) -> None:
    write(tmp_path, "{scene}_{shot}.png", 12, 3)
    rng = np.random.default_rng(0)
    for number, path in enumerate(sorted(tmp_path.rglob("*.png"))):
        path.rename(path.with_name(f"{rng.integers(1 << 60):x}{number}q.png"))
    assert not any("--split-by" in line for line in notes(scan(tmp_path)))
    assert check(tmp_path).split_by == ""


def test_splits_that_exist_already_get_no_suggestion(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write(tmp_path / split, "{scene}_" + split + ".png", 4, 1)
    for number, path in enumerate(sorted(tmp_path.rglob("*.png"))):  # no equal files
        path.write_bytes(path.read_bytes() + b" " * number)
    lines = notes(scan(tmp_path))
    assert lines[0].startswith("16 pairs")
    assert not any("--split-by" in line for line in lines)
