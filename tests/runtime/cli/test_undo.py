"""`clf-run undo` as a person or a script meets it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from edgeclf.runtime.cli.undo import undo
from edgeclf.runtime.terminal.escaping import unescape

Invoke = Callable[..., Result]
NAME = os.fsdecode(b"caf\xe9\t.jpg")


@pytest.fixture
def clf_undo(in_process: Callable[[typer.Typer], Invoke]) -> Invoke:
    app = typer.Typer()
    app.command()(undo)
    return in_process(app)


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """An image that was moved, with a name that is not UTF-8 and holds a tab."""
    (tmp_path / "sorted").mkdir()
    (tmp_path / "sorted" / NAME).write_bytes(b"x")
    line = {"how": "move", "from": str(tmp_path / NAME), "to": str(tmp_path / "sorted" / NAME), "size": 1, "mtime_ns": 1}
    lines = ({"edgeclf_journal": 2}, {"path": NAME, "sorted": line | {"made": 1}})
    (tmp_path / "journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_images_go_back_with_code_0(clf_undo: Invoke, moved: Path) -> None:
    result = clf_undo("journal")

    assert (result.exit_code, result.stdout) == (0, "")
    assert re.search("1 of 1 sorted image .* the journal is now journal.undone", result.stderr)
    assert sorted(os.listdir(moved)) == sorted([NAME, "journal.undone"])


def test_files_left_alone_are_named_with_code_1(clf_undo: Invoke, moved: Path) -> None:
    (moved / NAME).write_bytes(b"other")

    result = clf_undo("journal")

    assert result.exit_code == 1
    left_alone, summary = result.stderr.splitlines()
    assert left_alone.startswith(rf"left alone: {moved}/sorted/caf\xe9\t.jpg: ")
    assert re.match("0 of 1 sorted image .*1 left alone; .* again", summary)


def test_dry_run_prints_from_and_to_and_changes_nothing(clf_undo: Invoke, moved: Path) -> None:
    result = clf_undo("journal", "--dry-run")

    assert result.exit_code == 0
    assert [unescape(path) for path in result.stdout.removesuffix("\n").split("\t")] == [
        str(moved / NAME),
        str(moved / "sorted" / NAME),
    ]
    assert re.search("1 of 1 sorted image would be .* nothing was changed", result.stderr)
    assert sorted(os.listdir(moved)) == ["journal", "sorted"]


def test_journal_without_sorted_images_has_nothing_to_undo(clf_undo: Invoke, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text('{"edgeclf_journal": 2}\n')

    result = clf_undo("journal")

    assert (result.exit_code, "journal lists no sorted images" in result.stderr) == (0, True)


def test_a_file_that_is_not_a_journal_is_one_sentence_with_code_2(clf_undo: Invoke, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")

    result = clf_undo("photo.jpg")

    assert result.exit_code == 2
    assert re.match("error: photo.jpg is not a journal", result.stderr)
