"""Linked folders among labelled images: which are entered, and that no loop is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from edgeclf.train.cli.clf_check import app
from edgeclf.train.data.dataset import scan
from edgeclf.train.data.listing import list_images
from edgeclf.train.data.reading import Reading
from edgeclf.train.data.splitting import Splitting

LayOut = Callable[..., Path]
Invoke = Callable[..., Result]
FOLLOW = Reading(follow_links=True)


def images(root: Path, reading: Reading = FOLLOW) -> dict[str, int]:
    """The number of images in each class."""
    return {label: len(paths) for label, paths in list_images(root, reading).found["train"].items()}


@pytest.fixture
def data(lay_out: LayOut, tmp_path: Path) -> Path:
    """Two classes, and a link inside one of them to a folder elsewhere with three images."""
    root = lay_out({"cat": 10, "dog": 10, "../more/deep": 3})
    (root / "cat" / "more").symlink_to(tmp_path / "more", target_is_directory=True)
    return root


def test_linked_folders_are_entered_on_request(data: Path) -> None:
    assert images(data, Reading()) == {"cat": 10, "dog": 10}
    assert images(data) == {"cat": 13, "dog": 10}


def test_clf_check_and_the_splits_from_elsewhere_enter_them_too(data: Path, in_process: Callable[..., Invoke]) -> None:
    assert in_process(app)("data", "--follow-links").stderr.count(" in 23 images")
    shutil.copytree(data, data.with_name("later"), symlinks=True)
    assert len(scan(data, Splitting(val=data.with_name("later")), FOLLOW).val) == 23


@pytest.mark.parametrize("target", [".", "cat", "cat/a", "train", "train/cat"])
def test_a_link_to_a_folder_above_it_adds_no_images(target: str, lay_out: LayOut) -> None:
    split = "train/" if target.startswith("train") else ""
    root = lay_out({f"{split}cat/a": 4, f"{split}dog": 4})
    (root / f"{split}cat" / "a" / "loop").symlink_to(root / target, target_is_directory=True)
    assert images(root) == {"cat": 4, "dog": 4}
    assert list_images(root, FOLLOW).others == {"linked folder": 1}


def test_a_link_beside_the_classes_to_a_folder_above_it_is_no_class(lay_out: LayOut) -> None:
    root = lay_out({"cat": 4, "dog": 4})
    (root / "loop").symlink_to(root, target_is_directory=True)
    assert images(root, Reading()) == images(root) == {"cat": 4, "dog": 4}
    assert list_images(root).notes() == ("passed over, as no class: loop (a link to a folder above it)",)
