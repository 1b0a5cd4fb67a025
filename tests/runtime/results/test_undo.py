"""Undo: what sorting did is undone, and files that have changed since are left alone."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.row import Row
from edgeclf.runtime.results.sorting import Sorter
from edgeclf.runtime.results.undo import undo
from edgeclf.runtime.storage.lock import try_lock

HEADER = {"edgeclf_journal": 1, "fingerprint": {"model": "0"}}
CONTENT = b"an image" * 1000
NAMES = {"plain": "day/a.jpg", "latin-1": os.fsdecode(b"day/caf\xe9\n.jpg"), "deep": "x/y/z/a.jpg"}
by_mode = pytest.mark.parametrize("mode", ["copy", "move", "link"])


class Run:
    """The files that a run with `--sort` leaves in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "results.csv.journal"
        self.journal.write_text(json.dumps(HEADER) + "\n")

    def put(self, path: str, content: bytes = CONTENT) -> Path:
        file = self.folder / "in" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def sort(self, mode: Any, *paths: str, killed: bool = False) -> list[Path]:
        """Sort images and return their paths. killed: only write the journal."""
        sorter = Sorter(mode, self.folder / "sorted")
        frames = [self.frame(path) for path in paths]
        places = [sorter.destination(frame, Row(frame.name, "ok", "cat")) for frame in frames]
        for frame, place in zip(frames, places, strict=True):
            self.write({"path": frame.path, "status": "ok", "sorted": sorter.journal_fields(frame, place)})
        for frame, place in zip(frames, places, strict=True):
            killed or sorter.perform(frame, place)
        return [Path(place) for place in places]

    def frame(self, path: str) -> Frame:
        file = self.put(path)
        return Frame(str(file), str(file), path, size_bytes=len(CONTENT), mtime_ns=file.stat().st_mtime_ns)

    def write(self, line: object) -> None:
        with open(self.journal, "a", encoding="ascii") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def files(self) -> list[str]:
        below = [path for path in self.folder.rglob("*") if not path.is_dir() or not any(path.iterdir())]
        return sorted(str(path.relative_to(self.folder)) for path in below if path.suffix != ".journal")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@by_mode
@pytest.mark.parametrize("name", NAMES)
def test_undo_restores_the_files_as_they_were(mode: str, name: str, run: Run) -> None:
    run.put(NAMES[name])
    before = run.files
    run.sort(mode, NAMES[name])

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (1, 1, 0)
    assert run.files == sorted([*before, "results.csv.journal.undone"])
    assert run.put(NAMES[name]).read_bytes() == CONTENT


@by_mode
def test_an_image_that_was_named_three_times_is_restored(mode: str, run: Run) -> None:
    run.sort(mode, "day/a.jpg", "day/./a.jpg", "day//a.jpg")

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone"]


def test_folders_that_existed_before_stay(run: Run) -> None:
    (run.folder / "sorted" / "cat").mkdir(parents=True)
    run.sort("move", "day/a.jpg")

    undo(run.journal)

    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone", "sorted/cat"]


def test_a_folder_that_holds_other_files_stays(run: Run) -> None:
    run.sort("move", "day/a.jpg")
    (run.folder / "sorted" / "notes.txt").touch()

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone", "sorted/notes.txt"]


def test_a_folder_that_was_removed_is_created_again(run: Run) -> None:
    run.sort("move", "day/a.jpg")
    (run.folder / "in" / "day").rmdir()

    undo(run.journal)

    assert run.files == ["in/day/a.jpg", "results.csv.journal.undone"]


def test_an_image_is_not_moved_back_over_another_file(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort("move", "a.jpg")
    original = run.put("a.jpg", b"another")

    undone = undo(run.journal)

    assert (undone.undone, undone.left_alone, undone.journal) == (0, 1, run.journal)
    assert (original.read_bytes(), place.read_bytes()) == (b"another", CONTENT)
    assert capsys.readouterr().err == f"left alone: {place}: something else is at {original} now\n"


@by_mode
def test_a_changed_file_is_left_alone(mode: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort(mode, "a.jpg")
    place.unlink()
    place.write_bytes(b"changed")

    undone = undo(run.journal)

    assert (undone.left_alone, place.read_bytes(), run.journal.exists()) == (1, b"changed", True)
    assert capsys.readouterr().err.startswith(f"left alone: {place}: it ")


def test_a_copy_with_another_time_is_left_alone(run: Run) -> None:
    (place,) = run.sort("copy", "a.jpg")
    os.utime(place, ns=(0, 0))

    assert undo(run.journal).left_alone == 1
    assert place.exists()


def test_a_copy_on_a_disk_with_coarse_times_is_removed(run: Run) -> None:
    (place,) = run.sort("copy", "a.jpg")
    seconds = place.stat().st_mtime_ns // 2_000_000_000 * 2
    os.utime(place, (seconds, seconds))

    assert undo(run.journal).left_alone == 0
    assert not place.exists()


def test_the_last_copy_of_an_image_is_never_removed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort("copy", "a.jpg")
    (run.folder / "in" / "a.jpg").unlink()

    assert undo(run.journal).left_alone == 1
    assert place.read_bytes() == CONTENT
    assert "in/a.jpg is missing, so this copy is the only one" in capsys.readouterr().err


def test_an_original_that_the_journal_calls_a_copy_is_never_removed(run: Run) -> None:
    file = run.put("a.jpg")
    sorted_line = {"how": "copy", "from": str(file), "to": str(file), "size": len(CONTENT)}
    run.write({"path": "a.jpg", "sorted": sorted_line | {"mtime_ns": file.stat().st_mtime_ns}})

    assert undo(run.journal).left_alone == 1
    assert file.read_bytes() == CONTENT


def test_a_copy_from_an_archive_is_recognised_by_its_size(run: Run) -> None:
    archive = run.put("a.zip", b"an archive")
    (run.folder / "a.jpg").write_bytes(CONTENT)
    sorted_line = {"how": "copy", "from": f"{archive}/x/a.jpg", "to": str(run.folder / "a.jpg")}
    run.write({"path": "x/a.jpg", "sorted": sorted_line | {"size": len(CONTENT), "mtime_ns": 1234}})

    assert undo(run.journal).left_alone == 0
    assert not (run.folder / "a.jpg").exists()


def test_a_link_that_leads_elsewhere_is_left_alone(run: Run) -> None:
    (place,) = run.sort("link", "a.jpg")
    place.unlink()
    place.symlink_to(run.put("b.jpg"))

    assert undo(run.journal).left_alone == 1
    assert os.readlink(place) == str(run.folder / "in" / "b.jpg")


def test_an_image_that_is_missing_in_both_places_is_reported(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (place,) = run.sort("move", "a.jpg")
    place.unlink()

    assert undo(run.journal).left_alone == 1
    assert f"{place}: it is missing, and so is {run.folder / 'in' / 'a.jpg'}" in capsys.readouterr().err


def test_the_others_are_undone_if_one_is_left_alone(run: Run) -> None:
    places = run.sort("move", "a.jpg", "b.jpg", "c.jpg")
    places[1].write_bytes(b"changed")

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (3, 2, 1)
    assert run.files == ["in/a.jpg", "in/c.jpg", "sorted/cat/b.jpg"]


def test_a_second_undo_completes_what_was_left_alone(run: Run) -> None:
    (place,) = run.sort("move", "a.jpg")
    place.write_bytes(b"changed")
    undo(run.journal)
    place.write_bytes(CONTENT)

    assert (undo(run.journal).left_alone, run.files) == (0, ["in/a.jpg", "results.csv.journal.undone"])


@by_mode
def test_a_dry_run_shows_what_would_be_done_and_changes_nothing(mode: str, run: Run) -> None:
    run.sort(mode, "a.jpg", "b.jpg")
    before, shown = run.files, []

    undone = undo(run.journal, dry_run=True, show=lambda one: shown.append((one.source, one.target)))

    assert (undone.undone, undone.left_alone, undone.journal, run.files) == (2, 0, run.journal, before)
    assert shown == [(f"{run.folder}/in/{name}", f"{run.folder}/sorted/cat/{name}") for name in ("b.jpg", "a.jpg")]


@by_mode
def test_a_run_that_was_killed_before_sorting_has_nothing_to_undo(mode: str, run: Run) -> None:
    run.sort(mode, "a.jpg", killed=True)

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (1, 0, 0)
    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


def test_a_run_that_was_killed_between_link_and_unlink_is_undone(run: Run) -> None:
    (place,) = run.sort("move", "a.jpg", killed=True)
    place.parent.mkdir(parents=True)
    os.link(run.folder / "in" / "a.jpg", place)

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


def test_a_run_that_was_killed_between_copy_and_unlink_is_undone(run: Run) -> None:
    (place,) = run.sort("move", "a.jpg", killed=True)
    file_ops.copy_file(str(run.folder / "in" / "a.jpg"), str(place))

    assert undo(run.journal).left_alone == 0
    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_an_incomplete_copy_left_by_a_kill_is_removed(mode: str, run: Run) -> None:
    (place,) = run.sort(mode, "a.jpg", killed=True)
    place.parent.mkdir(parents=True)
    Path(file_ops.temporary_name(str(run.folder / "in" / "a.jpg"), str(place))).write_bytes(CONTENT[:9])

    undo(run.journal)

    assert run.files == ["in/a.jpg", "results.csv.journal.undone"]


@by_mode
def test_an_undo_that_was_killed_is_completed(mode: str, run: Run) -> None:
    run.sort(mode, "a.jpg", "b.jpg")
    kept = run.journal.read_bytes()
    lines = kept.splitlines(keepends=True)
    run.journal.write_bytes(lines[0] + lines[2])
    undo(run.journal)  # the first step, and then the kill
    run.journal.write_bytes(kept)

    undone = undo(run.journal)

    assert (undone.sorted, undone.undone, undone.left_alone) == (2, 1, 0)
    assert [file for file in run.files if "journal" not in file] == ["in/a.jpg", "in/b.jpg"]


def test_older_undone_journals_are_not_overwritten(run: Run) -> None:
    for name in ("results.csv.journal.undone", "results.csv.journal.undone2"):
        (run.folder / name).write_text("older")
    run.sort("move", "a.jpg")

    assert undo(run.journal).journal == run.folder / "results.csv.journal.undone3"
    assert (run.folder / "results.csv.journal.undone").read_text() == "older"


def test_a_torn_last_line_is_ignored(run: Run) -> None:
    run.sort("copy", "a.jpg")
    with open(run.journal, "a") as file:
        file.write('{"path": "b.jpg", "sorted": {"how": "mo')

    assert undo(run.journal).left_alone == 0


def test_a_damaged_line_is_reported_and_the_others_are_undone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.sort("move", "a.jpg")
    with open(run.journal, "a") as file:
        file.write("\0\0\0\n")
    run.sort("move", "b.jpg")

    undone = undo(run.journal)

    assert (undone.undone, undone.left_alone, undone.journal) == (2, 1, run.journal)
    assert capsys.readouterr().err == f"left alone: line 3 of {run.journal} is damaged\n"


@pytest.mark.parametrize(
    "line",
    [
        {"path": "a.jpg", "status": "ok"},
        {"sorted_so_far": 1},
        {"sorted": None},
        {"sorted": 3},
        {"sorted": {"how": "plan", "from": "/a", "to": "/b"}},
        {"sorted": {"how": "move"}},
        {"session": {"process": 1}},
    ],
    ids=["row", "marker", "none", "number", "plan", "no-paths", "session"],
)
def test_lines_of_other_kinds_are_ignored(line: object, run: Run) -> None:
    run.write(line)

    assert undo(run.journal).sorted == 0


def test_a_journal_of_a_run_without_sorting_keeps_its_name(run: Run) -> None:
    assert undo(run.journal).journal == run.journal
    assert run.journal.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xd8\xff\xe0" * 1000, b"path,status\na.jpg,ok\n", b'{"a": 1}\n', b"[]\n", b'{"edgeclf_journal": 2}\n'],
    ids=["empty", "image", "csv", "json", "list", "newer"],
)
def test_a_file_that_is_not_a_journal_is_refused_and_not_changed(content: bytes, run: Run) -> None:
    run.journal.write_bytes(content)

    with pytest.raises(OutputError, match="is not a journal of this version"):
        undo(run.journal)

    assert run.journal.read_bytes() == content


@pytest.mark.parametrize(("name", "message"), [("missing", "No such file"), ("in", "Is a directory")])
def test_a_journal_that_cannot_be_opened_is_an_output_error(name: str, message: str, run: Run) -> None:
    run.put("a.jpg")

    with pytest.raises(OutputError, match=rf"^cannot open .*{name}: {message}"):
        undo(run.folder / name)


def test_a_journal_that_a_run_has_open_is_refused(run: Run) -> None:
    run.sort("move", "a.jpg")
    with open(run.journal, "rb") as file:
        assert try_lock(file.fileno())
        with pytest.raises(OutputError, match=r"^a run has .*journal open"):
            undo(run.journal)

    assert run.files == ["in", "sorted/cat/a.jpg"]


def test_a_journal_that_another_process_has_just_undone_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.sort("move", "a.jpg")
    undone = run.folder / "undone"

    def lock_after_the_other(descriptor: int) -> bool:
        os.rename(run.journal, undone)
        return try_lock(descriptor)

    monkeypatch.setattr("edgeclf.runtime.results.undo.try_lock", lock_after_the_other)

    with pytest.raises(OutputError, match="was just undone by another process"):
        undo(run.journal)

    assert run.files == ["in", "sorted/cat/a.jpg", "undone"]


def test_a_full_disk_leaves_the_image_where_it_is(
    run: Run,
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
