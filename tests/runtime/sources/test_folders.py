"""Folders: which files are images, in which order they come, and that nothing on a disk can trap or stop the walk."""

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclf.runtime import Preprocess, open_source
from edgeclf.runtime.errors import ImageError, Reason, SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes


def frames(source: str | Path, **options: bool) -> list[Frame]:
    return [frame for frame in open_source(os.fspath(source), **options) if frame is not None]


def names(source: str | Path, **options: bool) -> list[str]:
    return [frame.name for frame in frames(source, **options)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """b.png, a/2.jpg, a/10.JPG, a/deep/x.webp; and a text, a hidden image and a hidden folder."""
    for name in ("b.png", "a/2.jpg", "a/10.JPG", "a/deep/x.webp", "notes.txt", ".hidden.png", ".git/y.png", "a/none"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folder_is_searched_in_depth_in_sorted_order(tree: Path) -> None:
    assert names(tree) == [f"{tree}/{name}" for name in ("a/10.JPG", "a/2.jpg", "a/deep/x.webp", "b.png")]


LEFT_BY_SYSTEMS = [
    "@eaDir", "#recycle", "#snapshot", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX",
    ".thumbnails", ".ipynb_checkpoints",
]  # fmt: skip


@pytest.mark.parametrize("folder", LEFT_BY_SYSTEMS)
def test_what_systems_leave_beside_images_is_skipped(folder: str, tree: Path) -> None:
    before = names(tree)
    for place in (tree / folder / "S-1-5-21", tree / "a" / folder / "2.jpg"):
        place.mkdir(parents=True)
        (place / "thumbnail.jpg").touch()

    assert names(tree) == before


@pytest.mark.parametrize("folder", LEFT_BY_SYSTEMS)
def test_a_system_folder_that_is_named_is_read(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder / "x").mkdir(parents=True)
    (tmp_path / folder / "x" / "1.jpg").touch()

    assert names(tmp_path / folder) == [f"{tmp_path}/{folder}/x/1.jpg"]


def test_two_walks_give_the_same_order(tree: Path) -> None:
    source = open_source(str(tree))

    assert list(source) == list(source)


def test_files_that_are_not_images_are_counted(tree: Path) -> None:
    source = open_source(str(tree))

    list(source)

    assert source.skipped == 4


def test_count_is_the_number_of_frames(tree: Path) -> None:
    source = open_source(str(tree))

    assert source.count() == len(list(source)) == 4


def test_counting_halfway_does_not_disturb_the_walk(tree: Path) -> None:
    source = open_source(str(tree))
    walk = iter(source)
    first = next(walk)

    source.count()

    assert [first, *walk] == list(open_source(str(tree)))
    assert source.skipped == 4


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "JPE", "jfif", "png", "bmp", "gif", "tif", "TIFF", "webp"])
def test_image_extensions_are_recognised_in_any_case(extension: str, tmp_path: Path) -> None:
    (tmp_path / f"x.{extension}").touch()

    assert names(tmp_path) == [f"{tmp_path}/x.{extension}"]


@pytest.mark.parametrize("extension", ["heic", "HEIC", "heif", "avif", "jp2", "jxl"])
def test_images_of_a_kind_that_is_not_read_are_not_skipped(extension: str, tmp_path: Path) -> None:
    (tmp_path / f"x.{extension}").write_bytes(b"\0\0\0\x18ftypheic" + bytes(12))

    with pytest.raises(ImageError, match="a HEIC image, which is not read; convert it to JPEG or PNG"):
        Preprocess((8, 8))(frames(tmp_path)[0].image)


def test_folder_without_images_is_an_error_that_names_the_extensions(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(SourceError, match=r"holds no images \(looked for \.bmp .*\.webp"):
        names(tmp_path)


@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_name_is_the_prefix_and_the_path_in_the_folder(slash: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    source = open_source(f"a{slash}")

    assert source.prefixes == (f"a{slash or '/'}",)
    assert [frame.path for frame in frames(f"a{slash}")] == ["10.JPG", "2.jpg", "deep/x.webp"]
    assert names(f"a{slash}") == [source.prefixes[0] + frame.path for frame in frames(f"a{slash}")]


def test_frame_has_the_size_and_time_of_its_file(tree: Path) -> None:
    (tree / "b.png").write_bytes(b"four")
    os.utime(tree / "b.png", ns=(0, 1_234_567_890))

    assert (frames(tree)[-1].size_bytes, frames(tree)[-1].mtime_ns) == (4, 1_234_567_890)


def test_linked_image_has_the_size_of_its_target(tree: Path) -> None:
    (tree / "b.png").write_bytes(b"four")
    (tree / "z.png").symlink_to("b.png")

    assert frames(tree)[-1].size_bytes == 4


def test_dangling_link_is_a_frame_of_unknown_size(tree: Path) -> None:
    (tree / "z.png").symlink_to("nowhere.png")

    assert frames(tree)[-1] == Frame(f"{tree}/z.png", f"{tree}/z.png", "z.png", 0, -1, -1)


def test_folder_is_a_root(tree: Path) -> None:
    assert open_source(str(tree)).roots() == (str(tree),)


def test_linked_folders_are_not_entered(tree: Path) -> None:
    (tree / "loop").symlink_to(tree, target_is_directory=True)

    assert len(names(tree)) == 4


def test_linked_folders_are_entered_on_request(tree: Path) -> None:
    (tree / "same").symlink_to(tree / "a", target_is_directory=True)

    assert [name for name in names(tree, follow_links=True) if "same" in name] == [
        f"{tree}/same/{name}" for name in ("10.JPG", "2.jpg", "deep/x.webp")
    ]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("loop", "."),
        ("a/loop", "."),
        ("a/loop", "a"),
        ("a/deep/x/loop", "."),
        ("a/deep/loop", "a"),
        ("a/deep/loop", "a/deep"),
    ],
)
def test_link_to_a_folder_above_ends_and_is_counted(place: str, target: str, tree: Path) -> None:
    (tree / place).parent.mkdir(exist_ok=True)
    (tree / place).symlink_to(tree / target, target_is_directory=True)
    source = open_source(str(tree), follow_links=True)

    assert len(list(source)) == 4
    assert source.skipped == 5


def test_two_folders_linked_into_each_other_end(tree: Path) -> None:
    (tree / "c").mkdir()
    (tree / "c" / "to-a").symlink_to(tree / "a", target_is_directory=True)
    (tree / "a" / "to-c").symlink_to(tree / "c", target_is_directory=True)

    assert len(names(tree, follow_links=True)) == 4 + 3


def test_folder_with_the_name_of_an_image_is_searched(tmp_path: Path) -> None:
    (tmp_path / "odd.jpg").mkdir()
    (tmp_path / "odd.jpg" / "x.png").touch()

    assert names(tmp_path) == [f"{tmp_path}/odd.jpg/x.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list any folder")
def test_folder_that_cannot_be_listed_is_a_frame(tree: Path) -> None:
    (tree / "a").chmod(0)

    assert f"{tree}/a" in names(tree)


class _FailingDisk:
    """Like `os.scandir` of a folder on a disk that fails after the first entry."""

    def __init__(self, path: str) -> None:
        self._entries = os_scandir(path)

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return self._read()

    def __exit__(self, *_: object) -> None:
        self._entries.close()

    def _read(self) -> Iterator[os.DirEntry[str]]:
        yield next(self._entries)
        raise OSError(errno.EIO, "Input/output error")


os_scandir = os.scandir


def test_folder_whose_listing_fails_midway_is_a_frame(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "scandir", lambda path: (_FailingDisk if path == f"{tree}/a" else os_scandir)(path))

    assert names(tree) == [f"{tree}/a", f"{tree}/b.png"]


def test_folder_that_vanishes_during_the_walk_is_a_frame_that_is_not_found(tree: Path) -> None:
    walk = iter(open_source(str(tree)))
    next(walk)
    shutil.rmtree(tree / "a" / "deep")

    gone = [frame for frame in walk if frame is not None and frame.path == "a/deep"]

    with pytest.raises(ImageError) as caught:
        read_bytes(gone[0].image)  # type: ignore[arg-type]
    assert caught.value.reason == Reason.NOT_FOUND


def test_folder_that_vanishes_before_the_walk_is_a_frame_with_an_empty_path(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    source = open_source(f"{tmp_path}/gone")
    (tmp_path / "gone").rmdir()

    assert list(source) == [Frame(f"{tmp_path}/gone/", f"{tmp_path}/gone/", "", 0, -1, -1)]


def test_special_file_is_a_frame_that_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.jpg")
    Path("zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")

        assert names(".") == ["./pipe.jpg", "./socket.png", "./zero.png"]


def test_hostile_names_are_kept(hostile_folder: Path, hostile_names: frozenset[bytes]) -> None:
    assert {os.fsencode(frame.path) for frame in frames(hostile_folder)} == hostile_names


def test_folder_is_listed_only_when_the_walk_reaches_it(tree: Path) -> None:
    walk = iter(open_source(str(tree)))
    next(walk)

    (tree / "b.png").unlink()
    (tree / "a" / "deep" / "late.png").touch()

    assert f"{tree}/a/deep/late.png" in [frame.name for frame in walk if frame is not None]
