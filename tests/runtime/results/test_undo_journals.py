"""The journals of an undo: damaged, locked, renamed, or not journals at all."""

import os
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.undo import undo
from edgeclf.runtime.storage.lock import try_lock
from tests.support.sorted_run import SortedRun


@pytest.fixture
def run(tmp_path: Path) -> SortedRun:
    return SortedRun(tmp_path)


def test_older_undone_journals_are_not_overwritten(run: SortedRun) -> None:
    for name in ("results.csv.journal.undone", "results.csv.journal.undone2"):
        (run.folder / name).write_text("older")
    run.sort("move", "a.jpg")

    assert undo(run.journal).journal == run.folder / "results.csv.journal.undone3"
    assert (run.folder / "results.csv.journal.undone").read_text() == "older"


def test_a_torn_last_line_is_ignored(run: SortedRun) -> None:
    run.sort("copy", "a.jpg")
    with open(run.journal, "a") as file:
        file.write('{"path": "b.jpg", "sorted": {"how": "mo')

    assert undo(run.journal).left_alone == 0


def test_a_damaged_line_is_reported_and_the_others_are_undone(run: SortedRun, capsys: pytest.CaptureFixture[str]) -> None:
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
def test_lines_of_other_kinds_are_ignored(line: object, run: SortedRun) -> None:
    run.write(line)

    assert undo(run.journal).sorted == 0


def test_a_journal_of_a_run_without_sorting_keeps_its_name(run: SortedRun) -> None:
    assert undo(run.journal).journal == run.journal
    assert run.journal.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xd8\xff\xe0" * 1000, b"path,status\na.jpg,ok\n", b'{"a": 1}\n', b"[]\n", b'{"edgeclf_journal": 1}\n'],
    ids=["empty", "image", "csv", "json", "list", "older"],
)
def test_a_file_that_is_not_a_journal_is_refused_and_not_changed(content: bytes, run: SortedRun) -> None:
    run.journal.write_bytes(content)

    with pytest.raises(OutputError, match="is not a journal of this version"):
        undo(run.journal)

    assert run.journal.read_bytes() == content


@pytest.mark.parametrize(("name", "message"), [("missing", "No such file"), ("in", "Is a directory")])
def test_a_journal_that_cannot_be_opened_is_an_output_error(name: str, message: str, run: SortedRun) -> None:
    run.put("a.jpg")

    with pytest.raises(OutputError, match=rf"^cannot open .*{name}: {message}"):
        undo(run.folder / name)


def test_a_journal_that_a_run_has_open_is_refused(run: SortedRun) -> None:
    run.sort("move", "a.jpg")
    with open(run.journal, "rb") as file:
        assert try_lock(file.fileno())
        with pytest.raises(OutputError, match=r"^a run has .*journal open"):
            undo(run.journal)

    assert run.files == ["in", "sorted/cat/a.jpg"]


def test_a_journal_that_another_process_has_just_undone_is_refused(run: SortedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.sort("move", "a.jpg")
    undone = run.folder / "undone"

    def lock_after_the_other(descriptor: int) -> bool:
        os.rename(run.journal, undone)
        return try_lock(descriptor)

    monkeypatch.setattr("edgeclf.runtime.results.undo.try_lock", lock_after_the_other)

    with pytest.raises(OutputError, match="was just undone by another process"):
        undo(run.journal)

    assert run.files == ["in", "sorted/cat/a.jpg", "undone"]
