"""Destinations: every image gets a path of its own below the folder, whatever its name and its class."""

import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sort_mode import SortMode
from edgeclf.runtime.results.sorting import Sorter, folder_name
from tests.support.files import CONTENT, files
from tests.support.sorting import FAILED, ROW, UNSURE, image, member, sort

by_mode = pytest.mark.parametrize("mode", ["copy", "move", "link"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    """An image in a sub-folder of its source."""
    return image(tmp_path, "in", "day/a.jpg")


@pytest.mark.parametrize("mode", get_args(SortMode))
@pytest.mark.parametrize(
    ("row", "place"), [(ROW, "cat/day/a.jpg"), (UNSURE, "unsure/day/a.jpg"), (FAILED, "")], ids=["ok", "unsure", "error"]
)
def test_the_destination_is_the_class_and_the_path_in_the_source(
    mode: SortMode, row: Row, place: str, frame: Frame, folder: Path
) -> None:
    assert Sorter(mode, folder).destination(frame, row) == (str(folder / place) if place else "")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/data/in/a.jpg", "data/in/a.jpg"),
        ("../../a.jpg", "a.jpg"),
        ("in/../../../a.jpg", "in/a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("..", "image"),
        ("x\0y/a\0.jpg", "x%00y/a%00.jpg"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        ("a." + "x" * 300, "a." + "x" * 253),
        ("\u72ac" * 100 + ".jpg", "\u72ac" * 83 + ".jpg"),
        (os.fsdecode(b"caf\xe9\n.jpg"), os.fsdecode(b"caf\xe9\n.jpg")),
    ],
    ids=["absolute", "up", "up-and-down", "here", "only-up", "nul", "long", "long-extension", "long-in-bytes", "latin-1"],
)
def test_the_destination_lies_below_the_folder_whatever_the_path(path: str, place: str, folder: Path) -> None:
    assert Sorter("copy", folder).destination(member(path), ROW) == f"{folder}/cat/{place}"


@pytest.mark.parametrize(
    "label",
    [
        "/",
        "..",
        ".",
        "",
        "a/b",
        "../../x",
        "\0",
        "unsure",
        "Unsure",
        ".git",
        "a\nb",
        "\ud800",
        "caf\udce9",
        "x" * 300,
        "C:\\x",
    ],
)
def test_every_class_gets_one_visible_folder(label: str, folder: Path, frame: Frame) -> None:
    sort(Sorter("copy", folder), frame, replace(ROW, label=label))

    (made,) = folder.iterdir()
    assert not made.name.startswith(".")
    assert made.name.casefold() != "unsure"
    assert files(made) == ["day/a.jpg"]


def test_no_two_classes_share_a_folder() -> None:
    labels = [
        "",
        "%",
        "%%",
        "%25",
        "/",
        "%2F",
        ".",
        "%2E",
        "..",
        "unsure",
        "%75nsure",
        " ",
        "x" * 300,
        "x" * 301,
        "x",
        "a",
        "A",
    ]

    assert len({folder_name(label) for label in labels}) == len(labels)


@pytest.mark.parametrize("label", ["tabby cat", "caf\u00e9", "\u72ac", "n02123045", "it's", "a.b", "tench, Tinca tinca"])
def test_an_ordinary_class_name_is_the_folder_name(label: str) -> None:
    assert folder_name(label) == label


@pytest.mark.parametrize("mode", get_args(SortMode))
def test_a_destination_is_chosen_once(mode: SortMode, tmp_path: Path, folder: Path) -> None:
    sorter = Sorter(mode, folder)

    places = [sorter.destination(image(tmp_path, source, "a.jpg"), ROW) for source in ("in1", "in2", "in3")]

    assert [os.path.basename(place) for place in places] == ["a.jpg", "a (2).jpg", "a (3).jpg"]


@by_mode
def test_a_destination_is_not_chosen_again_after_it_was_filled(mode: SortMode, tmp_path: Path, folder: Path) -> None:
    sorter = Sorter(mode, folder)

    places = [sort(sorter, image(tmp_path, source, "a.jpg")) for source in ("in1", "in2")]

    assert [os.path.basename(place) for place in places] == ["a.jpg", "a (2).jpg"]


@by_mode
@pytest.mark.parametrize("content", [b"", CONTENT[:-1] + b"X"], ids=["empty", "same-size"])
def test_an_existing_file_is_avoided(mode: SortMode, content: bytes, frame: Frame, folder: Path) -> None:
    (folder / "cat" / "day").mkdir(parents=True)
    (folder / "cat" / "day" / "a.jpg").write_bytes(content)

    sort(Sorter(mode, folder), frame)

    assert files(folder) == ["cat/day/a (2).jpg", "cat/day/a.jpg"]
    assert (folder / "cat" / "day" / "a.jpg").read_bytes() == content
    assert (folder / "cat" / "day" / "a (2).jpg").read_bytes() == CONTENT


@by_mode
def test_a_dangling_link_is_avoided(mode: SortMode, frame: Frame, folder: Path) -> None:
    (folder / "cat" / "day").mkdir(parents=True)
    (folder / "cat" / "day" / "a.jpg").symlink_to("nowhere")

    assert sort(Sorter(mode, folder), frame).endswith("a (2).jpg")


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_the_copy_or_link_of_a_killed_run_is_recognised(mode: SortMode, frame: Frame, folder: Path) -> None:
    first = sort(Sorter(mode, folder), frame)
    again = sort(Sorter(mode, folder), frame)

    assert again == first
    assert files(folder) == ["cat/day/a.jpg"]


def test_the_copy_of_an_archive_member_by_a_killed_run_is_recognised(folder: Path) -> None:
    assert sort(Sorter("copy", folder), member()) == sort(Sorter("copy", folder), member())


def test_a_hard_link_to_a_moved_image_is_moved_too(tmp_path: Path, folder: Path) -> None:
    first, second = image(tmp_path, "in1", "a.jpg"), Frame("x", str(tmp_path / "in2.jpg"), "a.jpg")
    os.link(str(first.image), str(second.image))
    sort(Sorter("move", folder), first)

    sort(Sorter("move", folder), second)

    assert files(folder) == ["cat/a (2).jpg", "cat/a.jpg"]
