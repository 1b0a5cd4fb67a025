"""New files: every image is a frame once it is complete, and again when it is replaced."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclf.runtime.sources import new_files
from tests.support.watching import Watch, arrived


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
