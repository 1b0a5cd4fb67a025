"""Sources: what is a picture, in which order, and that nothing on a disk can trap or stop the walk."""

import os
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import SourceError


def names(source: str | Path) -> list[str]:
    return [frame.name for frame in open_source(os.fspath(source))]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """b.png, a/2.jpg, a/10.JPG, a/deep/x.webp; and a text, a hidden picture and a hidden folder."""
    for name in ("b.png", "a/2.jpg", "a/10.JPG", "a/deep/x.webp", "notes.txt", ".hidden.png", ".git/y.png", "a/none"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folder_is_searched_in_depth_in_sorted_order(tree: Path) -> None:
    assert names(tree) == [f"{tree}/{name}" for name in ("a/10.JPG", "a/2.jpg", "a/deep/x.webp", "b.png")]


def test_two_walks_give_the_same_order(tree: Path) -> None:
    source = open_source(str(tree))

    assert list(source) == list(source)


def test_files_that_are_no_pictures_are_counted(tree: Path) -> None:
    source = open_source(str(tree))

    list(source)

    assert source.skipped == 4


def test_count_is_the_number_of_frames(tree: Path) -> None:
    source = open_source(str(tree))

    assert source.count() == len(list(source)) == 4


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "JPE", "jfif", "png", "bmp", "gif", "tif", "TIFF", "webp"])
def test_extension_of_a_picture_is_known_in_any_case(extension: str, tmp_path: Path) -> None:
    (tmp_path / f"x.{extension}").touch()

    assert names(tmp_path) == [f"{tmp_path}/x.{extension}"]


def test_folder_without_pictures_is_an_error_that_names_the_extensions(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(SourceError, match=r"holds no pictures \(looked for \.bmp .*\.webp"):
        names(tmp_path)


@pytest.mark.parametrize("source", ["missing", "missing.jpg", ""])
def test_source_that_does_not_exist_is_an_error(source: str) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(source)


def test_pattern_without_a_match_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matches no file"):
        open_source(f"{tmp_path}/*.jpg")


def test_pattern_gives_its_matches_in_sorted_order(tree: Path) -> None:
    assert names(f"{tree}/a/*.[jJ]*") == [f"{tree}/a/10.JPG", f"{tree}/a/2.jpg"]


def test_pattern_with_two_stars_searches_in_depth(tree: Path) -> None:
    assert f"{tree}/a/deep/x.webp" in names(f"{tree}/**/*.webp")


def test_folder_that_a_pattern_matches_is_searched(tree: Path) -> None:
    assert names(f"{tree}/a*") == [f"{tree}/{name}" for name in ("a/10.JPG", "a/2.jpg", "a/deep/x.webp")]


@pytest.mark.parametrize("name", ["notes.txt", "a/none", ".hidden.png"])
def test_file_that_is_named_is_a_frame_whatever_it_is_called(name: str, tree: Path) -> None:
    assert names(tree / name) == [f"{tree}/{name}"]


@pytest.mark.parametrize("name", ["a[1].png", "what?.png", "*.png"])
def test_existing_file_goes_before_a_pattern_of_the_same_spelling(name: str, tree: Path) -> None:
    (tree / name).touch()

    assert names(tree / name) == [f"{tree}/{name}"]


def test_folder_with_brackets_in_its_name_is_searched(tmp_path: Path) -> None:
    (tmp_path / "run[1]").mkdir()
    (tmp_path / "run[1]" / "x.png").touch()

    assert names(tmp_path / "run[1]") == [f"{tmp_path}/run[1]/x.png"]


def test_loop_of_linked_folders_ends(tree: Path) -> None:
    (tree / "a" / "loop").symlink_to(tree, target_is_directory=True)

    assert len(names(tree)) == 4


def test_linked_picture_and_dangling_link_are_frames(tree: Path) -> None:
    (tree / "z1.png").symlink_to("b.png")
    (tree / "z2.png").symlink_to("nowhere.png")

    assert names(tree)[-2:] == [f"{tree}/z1.png", f"{tree}/z2.png"]


def test_folder_with_the_name_of_a_picture_is_searched(tmp_path: Path) -> None:
    (tmp_path / "odd.jpg").mkdir()
    (tmp_path / "odd.jpg" / "x.png").touch()

    assert names(tmp_path) == [f"{tmp_path}/odd.jpg/x.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_folder_that_cannot_be_listed_is_a_frame(tree: Path) -> None:
    (tree / "a").chmod(0)

    assert f"{tree}/a" in names(tree)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"new\nline.png", b"\x1b[31m.png", b"=1+1.png", b"-n.png", b"a\\b.png"])
def test_name_of_any_bytes_is_kept(name: bytes, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    with open(path, "wb"):
        pass

    assert [os.fsencode(found) for found in names(tmp_path)] == [path]


def test_walk_lists_a_folder_only_when_it_gets_there(tree: Path) -> None:
    frames = iter(open_source(str(tree)))
    next(frames)

    (tree / "b.png").unlink()
    (tree / "a" / "deep" / "late.png").touch()

    assert f"{tree}/a/deep/late.png" in [frame.name for frame in frames]
