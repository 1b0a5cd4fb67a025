"""Quoted patterns: what they match, and that they do not run in circles through links."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import SourceError


def names(source: str, **options: bool) -> list[str]:
    return [frame.name for frame in open_source(source, **options) if frame is not None]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: b.png, a/2.jpg, a/10.JPG, a/deep/x.webp, a/none, .git/y.png."""
    for name in ("b.png", "a/2.jpg", "a/10.JPG", "a/deep/x.webp", "a/none", ".git/y.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["b.png"]),
        ("a/*.[jJ]*", ["a/10.JPG", "a/2.jpg"]),
        ("./a/?.jpg", ["./a/2.jpg"]),
        ("a*", ["a/10.JPG", "a/2.jpg", "a/deep/x.webp"]),
        ("a/*", ["a/10.JPG", "a/2.jpg", "a/deep/x.webp", "a/none"]),
        ("**/*.webp", ["a/deep/x.webp"]),
        ("**", ["a/10.JPG", "a/2.jpg", "a/deep/x.webp", "a/none", "b.png"]),
        ("a/**", ["a/10.JPG", "a/2.jpg", "a/deep/x.webp", "a/none"]),
        ("a/**/2.jpg", ["a/2.jpg"]),
        ("**/deep/**/x*", ["a/deep/x.webp"]),
        ("**/**/x*", ["a/deep/x.webp"]),
        ("*/**/x*", ["a/deep/x.webp"]),
        ("a/**/", ["a/10.JPG", "a/2.jpg", "a/deep/x.webp", "a/none"]),
        (".git/*", [".git/y.png"]),
    ],
)
def test_pattern_gives_its_matches_in_sorted_order(pattern: str, expected: list[str], tree: Path) -> None:
    assert names(pattern) == expected


@pytest.mark.parametrize("pattern", ["*", "*/*", "a/*", "**", "**/*.jpg", "*/*/*"])
def test_wildcards_match_no_system_folder(pattern: str, tree: Path) -> None:
    before = names(pattern)
    for folder in ("$RECYCLE.BIN/x", "@eaDir/x", "a/@eaDir/2.jpg"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "1.jpg").touch()

    assert names(pattern) == before


def test_a_pattern_may_name_a_system_folder(tree: Path) -> None:
    (tree / "a" / "@eaDir").mkdir()
    (tree / "a" / "@eaDir" / "1.jpg").touch()

    assert names("a/@eaDir/*.jpg") == names("*/@eaDir") == names("**/@eaDir/*") == ["a/@eaDir/1.jpg"]


def test_pattern_may_start_at_the_root(tree: Path) -> None:
    assert names(f"{tree}/**/x.*") == [f"{tree}/a/deep/x.webp"]


def test_name_and_path_are_as_matched(tree: Path) -> None:
    source = open_source("a/*.jpg")

    assert [(frame.path, frame.image) for frame in source if frame] == [("a/2.jpg", "a/2.jpg")]
    assert source.prefixes == ("",)


@pytest.mark.parametrize("pattern", ["a*", "**/*.webp", "a/*"])
def test_count_is_the_number_of_frames(pattern: str, tree: Path) -> None:
    assert open_source(pattern).count() == len(names(pattern))


def test_pattern_without_a_match_is_an_error(tree: Path) -> None:
    with pytest.raises(SourceError, match="matches no file"):
        open_source("*.bmp")


def test_pattern_that_matches_only_empty_folders_is_an_error(tree: Path) -> None:
    (tree / "empty").mkdir()

    with pytest.raises(SourceError, match="'empt\\*' matches folders that hold no images"):
        names("empt*")


@pytest.mark.parametrize("pattern", ["**", "**/*.webp"])
def test_two_stars_do_not_follow_links(pattern: str, tree: Path) -> None:
    expected = names(pattern)
    (tree / "a" / "loop").symlink_to(tree, target_is_directory=True)

    assert names(pattern) == expected


def test_two_stars_follow_each_link_once_on_request(tree: Path) -> None:
    (tree / "a" / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "same").symlink_to("a/deep", target_is_directory=True)

    assert names("**/*.webp", follow_links=True) == ["a/deep/x.webp", "same/x.webp"]


def test_folder_that_cannot_be_listed_is_a_frame(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if path == "a":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)

    assert names("**/*.png") == ["a", "b.png"]


@pytest.mark.parametrize(
    ("pattern", "root"),
    [("a/*.jpg", "a"), ("a/d*/x.webp", "a"), ("**/*.png", "."), ("*.png", "."), ("./a/**/x.webp", "./a")],
)
def test_root_is_the_folder_before_the_first_star(pattern: str, root: str, tree: Path) -> None:
    assert open_source(pattern).roots() == (root,)


def test_root_of_an_absolute_pattern_is_absolute() -> None:
    assert open_source("/*").roots() == ("/",)


def test_hostile_names_are_matched(hostile_folder: Path, hostile_names: frozenset[bytes]) -> None:
    assert {os.fsencode(os.path.basename(name)) for name in names(f"{hostile_folder}/**/*.png")} == hostile_names
