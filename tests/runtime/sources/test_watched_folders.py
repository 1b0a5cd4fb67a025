"""Watched folders: which images and folders are found, in which form, and that the source never ends."""

import os
import shutil
from itertools import islice
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import OptionError
from tests.support.watching import Watch, arrived

pytestmark = pytest.mark.usefixtures("clock")


def test_existing_images_are_frames(folder: Path, watch: Watch) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "b.jpg").touch()
    for name in ("notes.txt", ".hidden.png", "c.png.part"):
        (folder / name).touch()

    assert arrived(watch()) == ["a.png", "deep/b.jpg"]


def test_frame_is_the_same_as_from_the_folder(folder: Path, watch: Watch) -> None:
    (first,) = filter(None, islice(watch(), 25))

    assert [first] == list(open_source(str(folder)))


def test_none_means_nothing_new(watch: Watch) -> None:
    frames = watch()
    arrived(frames)

    assert list(islice(frames, 3)) == [None, None, None]


def test_other_files_are_counted(folder: Path) -> None:
    (folder / "notes.txt").touch()
    source = open_source(str(folder), watch=True)
    arrived(iter(source))

    assert source.skipped == 1


def test_number_of_frames_is_unknown(folder: Path) -> None:
    assert open_source(str(folder), watch=True).count() == 0


def test_folder_is_a_root(folder: Path) -> None:
    assert open_source(str(folder), watch=True).roots() == (str(folder),)


def test_new_folders_are_searched(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "2026" / "01").mkdir(parents=True)
    (folder / "2026" / "01" / "b.png").touch()

    assert arrived(frames) == ["2026/01/b.png"]


def test_folder_moved_in_is_searched(folder: Path, watch: Watch) -> None:
    (folder.parent / "night").mkdir()
    (folder.parent / "night" / "b.png").touch()
    frames = watch()
    arrived(frames)
    (folder.parent / "night").rename(folder / "night")

    assert arrived(frames) == ["night/b.png"]


def test_folder_that_is_deleted_is_forgotten_and_may_come_back(folder: Path, watch: Watch) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "b.png").touch()
    frames = watch()
    arrived(frames)
    shutil.rmtree(folder / "deep")
    gone = arrived(frames)
    (folder / "deep").mkdir()
    (folder / "deep" / "b.png").touch()

    assert (gone, arrived(frames)) == ([], ["deep/b.png"])


def test_watched_folder_that_goes_and_comes_back_gives_what_is_new(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    folder.rename(folder.with_name("elsewhere"))
    gone = arrived(frames)
    folder.with_name("elsewhere").rename(folder)
    (folder / "b.png").touch()

    assert (gone, arrived(frames)) == ([], ["b.png"])


@pytest.mark.parametrize(("follow_links", "expected"), [(False, []), (True, ["same/b.png"])], ids=["no", "yes"])
def test_linked_folders_are_entered_on_request_but_loops_are_not(
    follow_links: bool, expected: list[str], folder: Path, watch: Watch
) -> None:
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "b.png").touch()
    (folder / "same").symlink_to(folder.parent / "other", target_is_directory=True)
    (folder.parent / "other" / "loop").symlink_to(folder, target_is_directory=True)

    assert arrived(watch(follow_links=follow_links)) == ["a.png", *expected]


def test_several_folders_are_watched_at_once(folder: Path) -> None:
    (folder.parent / "other").mkdir()
    source = open_source(str(folder), f"{folder.parent}/other", watch=True)
    frames = iter(source)
    arrived(frames)
    (folder.parent / "other" / "b.png").touch()

    found = [frame for frame in islice(frames, 25) if frame]

    assert [(frame.source, frame.name) for frame in found] == [(1, f"{folder.parent}/other/b.png")]
    assert source.prefixes == (f"{folder}/", f"{folder.parent}/other/")


@pytest.mark.parametrize("name", ["a.png", "missing", "*.png", "-", "@list.txt", "photos.zip"])
def test_only_folders_can_be_watched(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    with pytest.raises(OptionError, match="--watch takes folders"):
        open_source(name, watch=True)


def test_hostile_names_are_kept(hostile_folder: Path, hostile_names: frozenset[bytes]) -> None:
    frames = iter(open_source(str(hostile_folder), watch=True))

    assert {os.fsencode(path) for path in arrived(frames)} == hostile_names
