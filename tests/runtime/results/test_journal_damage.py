"""A journal after kills, damage and a full disk; and only one process writes to it."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results.journal import Journal
from tests.support.journals import MADE_WITH, entry, frame, opened, pending, record, rows

FullDisk = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.csv.journal"


@pytest.mark.parametrize("tail", [b"{", b'{"path":"x.jpg","size":1', b'{"path":"x.jpg"}', bytes(100)])
def test_a_line_half_written_by_a_kill_is_cut_off(path: Path, tail: bytes) -> None:
    record(path, entry(frame("a.jpg")))
    whole = path.read_bytes()
    path.write_bytes(whole + tail)

    assert pending(path, frame("a.jpg"), frame("x.jpg")) == ["x.jpg"]
    assert path.read_bytes().startswith(whole + b'{"session"')


@pytest.mark.parametrize("content", [b"", b'{"edgeclf_jour'])
def test_a_journal_with_an_incomplete_header_starts_from_the_beginning(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    record(path, entry(frame("a.jpg")))

    assert len(rows(path)) == 1


def test_after_any_cut_the_whole_rows_before_it_remain(path: Path) -> None:
    record(path, *(entry(frame(f"{number}.jpg")) for number in range(20)))
    whole = path.read_bytes()

    for size in random.Random(0).sample(range(len(whole)), 60):
        path.write_bytes(whole[:size])
        expected = max(0, whole[:size].count(b"\n") - 2)  # the header and the signature
        assert len(rows(path)) == expected


@pytest.mark.parametrize("damage", [b"\0" * 30 + b"\n", b"path,status\n", b"[1]\n", b"{} {}\n", b"\xff\xfe\n"])
def test_a_damaged_line_is_reported_with_its_number_and_advice(path: Path, damage: bytes) -> None:
    record(path, entry(frame("a.jpg")))
    path.write_bytes(path.read_bytes() + damage + path.read_bytes())

    with pytest.raises(OutputError, match=r"line 4 of .* is damaged.*head -n 3 .*--restart"):
        rows(path)


@pytest.mark.parametrize("text", ["path,status\na.jpg,ok\n", "no line end", "\0", '{"edgeclf": 1}'], ids=repr)
@pytest.mark.parametrize("restart", [False, True])
def test_a_file_that_is_not_a_journal_is_never_changed(path: Path, text: str, restart: bool) -> None:
    path.write_text(text)

    with pytest.raises(OutputError, match=r"already exists and is not a journal; .*--journal"):
        rows(path, restart=restart)
    assert path.read_text() == text


def test_lines_that_no_run_wrote_are_an_output_error(path: Path) -> None:
    record(path, entry(frame("a.jpg")))
    path.write_bytes(path.read_bytes() + b'{"path":"b.jpg"}\n')

    with pytest.raises(OutputError, match=r"lines that clf-run did not write .*--restart"):
        rows(path)


@pytest.mark.parametrize("kind", ["folder", "fifo", "missing folder"])
def test_a_path_that_cannot_be_a_journal_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "journal"
    if kind == "folder":
        path.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    if kind == "missing folder":
        path = tmp_path / "missing" / "journal"

    with pytest.raises(OutputError, match=str(path)):
        rows(path)


def test_a_second_writer_is_refused_and_the_first_is_named(path: Path) -> None:
    with opened(path) as journal:
        with pytest.raises(OutputError, match=f"is being written by process {os.getpid()} on .* since 20"):
            record(path, entry(frame("b.jpg")))
        journal.append([entry(frame("a.jpg"))])
    assert [row.path for row in rows(path)] == ["photos/a.jpg"]


def test_a_writer_that_was_killed_leaves_no_lock(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from edgeclf.runtime.results.journal import open_journal
with open_journal(Path({str(path)!r}), {MADE_WITH!r}, ["photos/"]):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL

    assert rows(path) == []


def test_on_a_full_disk_exactly_the_acknowledged_rows_remain(tmp_path: Path, full_disk: FullDisk) -> None:
    for limit in random.Random(1).sample(range(1_500, 20_000), 50):
        path = tmp_path / f"{limit}.journal"
        with opened(path) as journal, full_disk(limit):
            with pytest.raises(OutputError, match=r"cannot write .*journal"):
                fill(journal)
            acknowledged = journal.index.done

        assert (limit, len(rows(path))) == (limit, acknowledged)
        assert acknowledged > 0


def fill(journal: Journal) -> None:
    for number in range(1_000):
        journal.append([entry(frame(f"{number}-{part}.jpg")) for part in range(3)])


def test_a_journal_still_works_after_the_disk_was_full(path: Path, full_disk: FullDisk) -> None:
    with opened(path) as journal:
        journal.append([entry(frame("a.jpg"))])
        with full_disk(path.stat().st_size + 30), pytest.raises(OutputError):
            journal.append([entry(frame("b.jpg"))])
        journal.append([entry(frame("c.jpg"))])
        assert [row.path for row in journal.rows()] == ["photos/a.jpg", "photos/c.jpg"]
