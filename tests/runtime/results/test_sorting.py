"""Sorting: images arrive at their destinations, and nothing is overwritten or lost."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.sort_mode import SortMode
from edgeclf.runtime.results.sorting import Sorter, check_folders
from tests.support.files import CONTENT, files
from tests.support.sorting import ROW, Gone, image, member, sort

by_mode = pytest.mark.parametrize("mode", ["copy", "move", "link"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    """An image in a sub-folder of its source."""
    return image(tmp_path, "in", "day/a.jpg")


def test_an_image_that_is_at_its_destination_stays(tmp_path: Path) -> None:
    frame = image(tmp_path, "sorted/cat", "a.jpg")

    destination = sort(Sorter("move", tmp_path / "sorted"), frame)

    assert destination == frame.image
    assert files(tmp_path) == ["sorted/cat/a.jpg"]


def test_an_image_is_not_its_own_copy(tmp_path: Path) -> None:
    assert sort(Sorter("copy", tmp_path / "sorted"), image(tmp_path, "sorted/cat", "a.jpg")).endswith("a (2).jpg")


def test_a_plan_changes_nothing(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("plan", tmp_path / "sorted"), frame)

    assert files(tmp_path) == ["in/day/a.jpg"]
    assert not (tmp_path / "sorted").exists()


def test_a_plan_avoids_the_reserved_paths_of_an_earlier_run(frame: Frame, folder: Path) -> None:
    sorter = Sorter("plan", folder)
    sorter.reserve(Sorter("plan", folder).destination(frame, ROW))

    assert sorter.destination(frame, ROW).endswith("a (2).jpg")


def test_a_copy_leaves_the_image_where_it_is(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("copy", tmp_path / "sorted"), frame)

    assert files(tmp_path) == ["in/day/a.jpg", "sorted/cat/day/a.jpg"]
    assert (tmp_path / "sorted/cat/day/a.jpg").stat().st_mtime_ns == 10**18


def test_a_move_does_not_leave_the_image(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("move", tmp_path / "sorted"), frame)

    assert files(tmp_path) == ["sorted/cat/day/a.jpg"]


def test_a_link_leads_to_the_image(frame: Frame, tmp_path: Path) -> None:
    sort(Sorter("link", tmp_path / "sorted"), frame)

    assert os.readlink(tmp_path / "sorted/cat/day/a.jpg") == frame.image


def test_an_archive_member_is_copied(folder: Path) -> None:
    sort(Sorter("copy", folder), member())

    assert (folder / "cat/day/a.jpg").read_bytes() == CONTENT


@pytest.mark.parametrize("mode", ["move", "link"])
@pytest.mark.parametrize("call", [Sorter.destination, Sorter.perform], ids=["destination", "perform"])
def test_an_archive_member_cannot_be_moved_or_linked(
    mode: SortMode, call: Callable[[Sorter, Frame, object], object], folder: Path
) -> None:
    with pytest.raises(OptionError, match=rf"^a.zip/day/a.jpg .*--sort {mode} .*--sort copy"):
        call(Sorter(mode, folder), member(), ROW if call is Sorter.destination else str(folder / "x"))


@by_mode
def test_performing_again_after_a_kill_changes_nothing(mode: SortMode, frame: Frame, tmp_path: Path) -> None:
    destination = sort(Sorter(mode, tmp_path / "sorted"), frame)
    before = files(tmp_path)
    sorter = Sorter(mode, tmp_path / "sorted")

    sorter.perform(frame, destination)

    assert files(tmp_path) == before
    assert sorter.vanished == 0


@by_mode
def test_an_image_that_vanished_is_counted_and_not_an_error(mode: SortMode, frame: Frame, folder: Path) -> None:
    os.unlink(str(frame.image))
    sorter = Sorter(mode, folder)

    sorter.perform(frame, str(folder / "cat" / "a.jpg"))

    assert sorter.vanished == 1
    assert not folder.exists() or files(folder) == []


def test_an_archive_member_that_vanished_is_counted_and_not_an_error(folder: Path) -> None:
    sorter = Sorter("copy", folder)

    sorter.perform(member(stored=Gone()), str(folder / "cat" / "a.jpg"))

    assert sorter.vanished == 1


@by_mode
def test_a_folder_that_replaced_an_image_is_not_sorted(mode: SortMode, frame: Frame, folder: Path) -> None:
    os.unlink(str(frame.image))
    os.mkdir(str(frame.image))
    sorter = Sorter(mode, folder)

    sorter.perform(frame, str(folder / "cat" / "a.jpg"))

    assert os.path.isdir(str(frame.image))
    assert sorter.vanished == 1


@by_mode
def test_a_file_that_appeared_at_the_destination_is_an_output_error(mode: SortMode, frame: Frame, folder: Path) -> None:
    sorter = Sorter(mode, folder)
    destination = Path(sorter.destination(frame, ROW))
    destination.parent.mkdir(parents=True)
    destination.write_bytes(b"other")

    with pytest.raises(OutputError, match=r"^cannot sort .*/in/day/a.jpg to .*/a.jpg: something else"):
        sorter.perform(frame, str(destination))

    assert (destination.read_bytes(), Path(frame.name).read_bytes()) == (b"other", CONTENT)


@pytest.mark.parametrize("stored", [True, False], ids=["member", "file"])
def test_a_full_disk_is_an_output_error_and_leaves_nothing(
    stored: bool, frame: Frame, folder: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1000), pytest.raises(OutputError, match=r"^cannot sort .*: File too large"):
        sort(Sorter("copy", folder), member() if stored else frame)

    assert files(folder) == []


@by_mode
def test_a_folder_below_a_file_is_an_output_error(mode: SortMode, frame: Frame, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"^cannot sort .*"):
        sort(Sorter(mode, tmp_path / "file" / "sorted"), frame)

    assert Path(frame.name).read_bytes() == CONTENT


@by_mode
def test_the_journal_fields_say_what_will_be_done(
    mode: SortMode, frame: Frame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = replace(frame, name="in/day/a.jpg", image="in/day/a.jpg")

    assert Sorter(mode, Path("sorted")).journal_fields(frame, "sorted/cat/day/a.jpg") == {
        "how": mode,
        "from": str(tmp_path / "in/day/a.jpg"),
        "to": str(tmp_path / "sorted/cat/day/a.jpg"),
        "size": len(CONTENT),
        "mtime_ns": 10**18,
        "made": 3,
    }


def test_a_plan_has_no_journal_fields(frame: Frame, folder: Path) -> None:
    assert Sorter("plan", folder).journal_fields(frame, str(folder / "a.jpg")) is None


@pytest.mark.parametrize(
    ("sort_dir", "root"),
    [
        ("in/sorted", "in"),
        ("in", "in"),
        ("in/a/b", "in/"),
        ("linked/sorted", "in"),
        ("out", "out/cat"),
        ("out", "out/unsure/x"),
    ],
    ids=["inside", "itself", "deep", "through-a-link", "filled-from-itself", "unsure-filled"],
)
def test_sorting_into_a_source_is_refused(sort_dir: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("linked").symlink_to("in")

    with pytest.raises(OptionError, match=rf"^--sort-dir {sort_dir} .*{root}.* found again"):
        check_folders(["elsewhere", root], Path(sort_dir), ["cat", "dog"])


@pytest.mark.parametrize(
    ("sort_dir", "root"), [("sorted", "in"), ("in2", "in"), ("out", "out/inbox"), ("out", "out/catalogue")]
)
def test_sorting_beside_a_source_is_accepted(
    sort_dir: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    check_folders([root], Path(sort_dir), ["cat", "dog"])


def test_sorting_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OptionError, match="is not a folder"):
        check_folders([], tmp_path / "file")
