"""Undo: what sorting did is undone, and files that have changed since are left alone."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.undo import undo
from tests.support.files import CONTENT
from tests.support.sorted_run import SortedRun

NAMES = {"plain": "day/a.jpg", "latin-1": os.fsdecode(b"day/caf\xe9\n.jpg"), "deep": "x/y/z/a.jpg"}
by_mode = pytest.mark.parametrize("mode", ["copy", "move", "link"])


@pytest.fixture
def run(tmp_path: Path) -> SortedRun:
    return SortedRun(tmp_path)


@by_mode
@pytest.mark.parametrize("name", NAMES)
def test_undo_restores_the_files_as_they_were(mode: str, name: str, run: SortedRun) -> None:
    run.put(NAMES[name])
    before = run.files
    run.sort(mode, NAMES[name])

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (1, 1, 0)
    assert run.files == sorted([*before, "results.csv.journal.undone"])
    assert run.put(NAMES[name]).read_bytes() == CONTENT


@by_mode
def test_an_image_that_was_named_three_times_is_restored(mode: str, run: SortedRun) -> None:
    run.sort(mode, "day/a.jpg", "day/./a.jpg", "day//a.jpg")

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone"]


def test_folders_that_existed_before_stay(run: SortedRun) -> None:
    (run.folder / "sorted" / "cat").mkdir(parents=True)
    run.sort("move", "day/a.jpg")

    undo(run.journal)

    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone", "sorted/cat"]


def test_a_folder_that_holds_other_files_stays(run: SortedRun) -> None:
    run.sort("move", "day/a.jpg")
    (run.folder / "sorted" / "notes.txt").touch()

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone", "sorted/notes.txt"]


def test_a_folder_that_was_removed_is_created_again(run: SortedRun) -> None:
    run.sort("move", "day/a.jpg")
    (run.folder / "in" / "day").rmdir()

    undo(run.journal)

    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone"]


def test_an_image_is_not_moved_back_over_another_file(run: SortedRun, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort("move", "a.jpg")
    original = run.put("a.jpg", b"another")

    undone = undo(run.journal)

    assert (undone.undone, undone.left_alone, undone.journal) == (0, 1, run.journal)
    assert (original.read_bytes(), place.read_bytes()) == (b"another", CONTENT)
    assert capsys.readouterr().err == f"left alone: {place}: something else is at {original} now\n"


@by_mode
def test_a_changed_file_is_left_alone(mode: str, run: SortedRun, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort(mode, "a.jpg")
    place.unlink()
    place.write_bytes(b"changed")

    undone = undo(run.journal)

    assert (undone.left_alone, place.read_bytes(), run.journal.exists()) == (1, b"changed", True)
    assert capsys.readouterr().err.startswith(f"left alone: {place}: it ")


def test_a_copy_with_another_time_is_left_alone(run: SortedRun) -> None:
    (place,) = run.sort("copy", "a.jpg")
    os.utime(place, ns=(0, 0))

    assert undo(run.journal).left_alone == 1
    assert place.exists()


def test_a_copy_on_a_disk_with_coarse_times_is_removed(run: SortedRun) -> None:
    (place,) = run.sort("copy", "a.jpg")
    seconds = place.stat().st_mtime_ns // 2_000_000_000 * 2
    os.utime(place, (seconds, seconds))

    assert undo(run.journal).left_alone == 0
    assert not place.exists()


def test_the_last_copy_of_an_image_is_never_removed(run: SortedRun, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort("copy", "a.jpg")
    (run.folder / "in" / "a.jpg").unlink()

    assert undo(run.journal).left_alone == 1
    assert place.read_bytes() == CONTENT
    assert "in/a.jpg is missing, so this copy is the only one" in capsys.readouterr().err


def test_an_original_that_the_journal_calls_a_copy_is_never_removed(run: SortedRun) -> None:
    file = run.put("a.jpg")
    sorted_line = {"how": "copy", "from": str(file), "to": str(file), "size": len(CONTENT)}
    run.write({"path": "a.jpg", "sorted": sorted_line | {"mtime_ns": file.stat().st_mtime_ns}})

    assert undo(run.journal).left_alone == 1
    assert file.read_bytes() == CONTENT


def test_a_copy_from_an_archive_is_recognised_by_its_size(run: SortedRun) -> None:
    archive = run.put("a.zip", b"an archive")
    (run.folder / "a.jpg").write_bytes(CONTENT)
    sorted_line = {"how": "copy", "from": f"{archive}/x/a.jpg", "to": str(run.folder / "a.jpg")}
    run.write({"path": "x/a.jpg", "sorted": sorted_line | {"size": len(CONTENT), "mtime_ns": 1234}})

    assert undo(run.journal).left_alone == 0
    assert not (run.folder / "a.jpg").exists()


def test_a_link_that_leads_elsewhere_is_left_alone(run: SortedRun) -> None:
    (place,) = run.sort("link", "a.jpg")
    place.unlink()
    place.symlink_to(run.put("b.jpg"))

    assert undo(run.journal).left_alone == 1
    assert os.readlink(place) == str(run.folder / "in" / "b.jpg")


def test_an_image_that_is_missing_in_both_places_is_reported(run: SortedRun, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort("move", "a.jpg")
    place.unlink()

    assert undo(run.journal).left_alone == 1
    assert f"{place}: it is missing, and so is {run.folder / 'in' / 'a.jpg'}" in capsys.readouterr().err


def test_the_others_are_undone_if_one_is_left_alone(run: SortedRun) -> None:
    places = run.sort("move", "a.jpg", "b.jpg", "c.jpg")
    places[1].write_bytes(b"changed")

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (3, 2, 1)
    assert run.files == ["in/a.jpg", "in/c.jpg", "sorted/cat/b.jpg"]


def test_a_second_undo_completes_what_was_left_alone(run: SortedRun) -> None:
    (place,) = run.sort("move", "a.jpg")
    place.write_bytes(b"changed")
    undo(run.journal)
    place.write_bytes(CONTENT)

    assert (undo(run.journal).left_alone, run.files) == (0, ["in/a.jpg", "results.csv.journal.undone"])


@by_mode
def test_a_dry_run_shows_what_would_be_done_and_changes_nothing(mode: str, run: SortedRun) -> None:
    run.sort(mode, "a.jpg", "b.jpg")
    before, shown = run.files, []

    undone = undo(run.journal, dry_run=True, show=lambda one: shown.append((one.source, one.target)))

    assert (undone.undone, undone.left_alone, undone.journal, run.files) == (2, 0, run.journal, before)
    assert shown == [(f"{run.folder}/in/{name}", f"{run.folder}/sorted/cat/{name}") for name in ("b.jpg", "a.jpg")]


@by_mode
def test_a_run_that_was_killed_before_sorting_has_nothing_to_undo(mode: str, run: SortedRun) -> None:
    run.sort(mode, "a.jpg", killed=True)

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (1, 0, 0)
    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


def test_a_run_that_was_killed_between_link_and_unlink_is_undone(run: SortedRun) -> None:
    (place,) = run.sort("move", "a.jpg", killed=True)
    place.parent.mkdir(parents=True)
    os.link(run.folder / "in" / "a.jpg", place)

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


def test_a_run_that_was_killed_between_copy_and_unlink_is_undone(run: SortedRun) -> None:
    (place,) = run.sort("move", "a.jpg", killed=True)
    file_ops.copy_file(str(run.folder / "in" / "a.jpg"), str(place))

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_an_incomplete_copy_left_by_a_kill_is_removed(mode: str, run: SortedRun) -> None:
    (place,) = run.sort(mode, "a.jpg", killed=True)
    place.parent.mkdir(parents=True)
    Path(file_ops.temporary_name(str(run.folder / "in" / "a.jpg"), str(place))).write_bytes(CONTENT[:9])

    undo(run.journal)

    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


@by_mode
def test_an_undo_that_was_killed_is_completed(mode: str, run: SortedRun) -> None:
    run.sort(mode, "a.jpg", "b.jpg")
    kept = run.journal.read_bytes()
    lines = kept.splitlines(keepends=True)
    run.journal.write_bytes(lines[0] + lines[2])
    undo(run.journal)  # the first step, and then the kill
    run.journal.write_bytes(kept)

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (2, 1, 0)
    assert [file for file in run.files if "journal" not in file] == ["in/a.jpg", "in/b.jpg"]


def test_a_full_disk_leaves_the_image_where_it_is(
    run: SortedRun,
    full_disk: Callable[[int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place,) = run.sort("move", "a.jpg")
    monkeypatch.setattr(os, "link", _another_disk)

    with full_disk(1000):
        undone = undo(run.journal)

    assert (undone.left_alone, place.read_bytes()) == (1, CONTENT)
    assert capsys.readouterr().err == f"left alone: {place}: File too large\n"


def _another_disk(*_: object, **__: object) -> None:
    raise OSError(18, "Invalid cross-device link")
