"""Watched folders: every new image is a frame once it is complete, and again when it is replaced."""

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources import new_files, watched_folders

Frames = Iterator[Frame | None]
Watch = Callable[..., Frames]


class Clock:
    """Stands in for the `time` module: sleeping takes no time, and only sleeping lets time pass."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watched folders' time is a Clock."""
    clock = Clock()
    monkeypatch.setattr(new_files, "time", clock)
    monkeypatch.setattr(watched_folders, "time", clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `in` with an image a.png in it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"a")
    return tmp_path / "in"


@pytest.fixture
def watch(folder: Path) -> Watch:
    return lambda **options: iter(open_source(str(folder), watch=True, **options))


def arrived(frames: Frames, pauses: int = 25) -> list[str]:
    """The paths that come within this many pauses of 0.2 s by the clock, sorted."""
    found = []
    while pauses:
        frame = next(frames)
        if frame is None:
            pauses -= 1
        else:
            found.append(frame.path)
    time.sleep(0.02)  # file systems count time in steps of up to 10 ms: what changes from now on gets a later one
    return sorted(found)


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


def test_new_image_is_a_frame_once(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "b.png").touch()

    assert (arrived(frames), arrived(frames)) == (["b.png"], [])


def test_image_renamed_into_place_is_a_frame(folder: Path, watch: Watch) -> None:
    (folder / "b.png.part").touch()
    os.utime(folder / "b.png.part", (0, 0))
    frames = watch()
    arrived(frames)
    (folder / "b.png.part").rename(folder / "b.png")

    assert arrived(frames) == ["b.png"]


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


def test_image_that_is_overwritten_is_a_frame_again(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "a.png").write_bytes(b"a newer one")

    assert arrived(frames) == ["a.png"]


def test_image_that_is_replaced_by_another_file_is_a_frame_again(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "b.tmp").write_bytes(b"b")
    os.utime(folder / "b.tmp", (0, 0))
    (folder / "b.tmp").replace(folder / "a.png")

    assert arrived(frames) == ["a.png"]


def test_image_that_is_deleted_and_written_again_is_a_frame_again(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "a.png").unlink()
    arrived(frames)
    (folder / "a.png").write_bytes(b"a")

    assert arrived(frames) == ["a.png"]


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


def test_image_that_grows_is_not_complete(folder: Path, watch: Watch) -> None:
    frames = watch()
    growing = []
    for _ in range(25):
        with open(folder / "b.png", "ab") as file:
            file.write(b"more")
        growing += arrived(frames, 1)

    assert "b.png" not in growing
    assert "b.png" in arrived(frames)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell")
def test_image_that_is_open_for_writing_is_not_complete(folder: Path, watch: Watch) -> None:
    frames = watch()
    with open(folder / "b.png", "wb"):
        unfinished = arrived(frames)

    assert (unfinished, arrived(frames)) == (["a.png"], ["b.png"])


def test_image_that_vanishes_before_it_is_complete_gives_no_frame(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "b.png").touch()
    arrived(frames, 1)
    (folder / "b.png").unlink()

    assert arrived(frames) == []


def test_image_that_vanishes_makes_room_for_others(folder: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_files, "_MAX_PENDING", 1)
    frames = watch()
    arrived(frames)
    (folder / "b.png").touch()
    arrived(frames, 4)
    (folder / "b.png").unlink()
    (folder / "c.png").touch()

    assert arrived(frames) == ["c.png"]


def test_file_that_cannot_be_read_is_a_frame_once(folder: Path, watch: Watch) -> None:
    os.mkfifo(folder / "b.png")
    (folder / "c.png").symlink_to("nowhere")
    (folder / "d.png").symlink_to("d.png")
    frames = watch()

    assert (arrived(frames), arrived(frames)) == (["a.png", "b.png", "c.png", "d.png"], [])


def test_folder_that_cannot_be_listed_is_a_frame_once(folder: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if path == f"{folder}/deep":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    (folder / "deep").mkdir()
    frames = watch()

    assert (arrived(frames), arrived(frames)) == (["a.png", "deep"], [])


def test_folder_that_has_not_changed_is_not_listed_again(
    folder: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        listed.append(path)
        return real(path)

    real, listed = os.scandir, list[str]()
    frames = watch()
    arrived(frames)
    monkeypatch.setattr(os, "scandir", scandir)
    arrived(frames)

    assert listed == []


def test_folder_that_changes_after_a_quiet_time_is_listed_again(folder: Path, watch: Watch) -> None:
    frames = watch()
    arrived(frames)
    (folder / "b.png").touch()

    assert arrived(frames) == ["b.png"]


def test_more_images_than_can_be_pending_are_all_frames(folder: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_files, "_MAX_PENDING", 3)
    for number in range(7):
        (folder / f"{number}.png").touch()

    assert arrived(watch(), 60) == [*(f"{number}.png" for number in range(7)), "a.png"]


def test_newer_versions_are_found_in_turn_among_many_images(
    folder: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_files, "_RECHECKS", 2)
    for number in range(7):
        (folder / f"{number}.png").touch()
    frames = watch()
    arrived(frames)
    (folder / "6.png").write_bytes(b"newer")

    assert arrived(frames, 60) == ["6.png"]


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
