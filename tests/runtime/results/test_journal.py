"""The journal: acknowledged rows survive whatever happens, once each, and only one process writes at a time."""

import json
import os
import random
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.journal import Entry, Journal, JournalOptions, open_journal
from edgeclf.runtime.results.row import Row, known_or_none

MADE_WITH = {"model": "0123456789abcdef", "--source": ["photos/"], "--topk": 1}
FullDisk = Callable[[int], AbstractContextManager[None]]


def frame(path: str, size: int = 10, mtime_ns: int = 20, source: int = 0) -> Frame:
    return Frame("photos/" + path, "photos/" + path, path, source, size, mtime_ns)


def entry(one: Frame, label: str = "cat") -> Entry:
    row = Row(
        path=one.name,
        status="ok",
        label=label,
        confidence=0.75,
        top={label: 0.75},
        width=640,
        height=480,
        model=MADE_WITH["model"],
        time="2026-11-22T12:00:00.000Z",
    )
    return Entry(one, with_file(row, one))


def failure(one: Frame) -> Entry:
    row = Row(one.name, "error", error="empty", detail="0 bytes", model=MADE_WITH["model"], time="2026-11-22")
    return Entry(one, with_file(row, one))


def with_file(row: Row, one: Frame) -> Row:
    return replace(row, size_bytes=known_or_none(one.size_bytes), mtime_ns=known_or_none(one.mtime_ns))


def opened(path: Path, **options: bool) -> AbstractContextManager[Journal]:
    return open_journal(path, MADE_WITH, ["photos/"], JournalOptions(**options))


def record(path: Path, *entries: Entry, **options: bool) -> None:
    with opened(path, **options) as journal:
        journal.append(entries)


def rows(path: Path, **options: bool) -> list[Row]:
    with opened(path, **options) as journal:
        return list(journal.rows())


def pending(path: Path, *frames: Frame, **options: bool) -> list[str]:
    with opened(path, **options) as journal:
        return [one.path for one in journal.pending(frames) if one]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.csv.journal"


def test_rows_read_back_equal_the_rows_written(path: Path) -> None:
    names = "a.jpg", os.fsdecode(b"caf\xe9.jpg")
    entries = *(entry(frame(name)) for name in names), failure(frame("b/c\n.jpg")), failure(frame("gone.jpg", -1, -1))

    record(path, *entries)

    assert rows(path) == [one.row for one in entries]


def test_an_image_with_a_row_is_not_pending(path: Path) -> None:
    record(path, entry(frame("a.jpg")), failure(frame("b.jpg")))

    assert pending(path, frame("a.jpg"), frame("b.jpg"), frame("c.jpg")) == ["c.jpg"]


@pytest.mark.parametrize("changed", [frame("a.jpg", size=11), frame("a.jpg", mtime_ns=21)], ids=["size", "time"])
def test_a_file_that_has_changed_is_pending_and_its_new_row_counts(path: Path, changed: Frame) -> None:
    record(path, entry(frame("a.jpg")), entry(frame("b.jpg")))

    assert pending(path, changed, frame("b.jpg")) == ["a.jpg"]
    with opened(path) as journal:
        list(journal.pending([changed]))
        journal.append([entry(changed, "dog")])
        assert (journal.index.done, [(row.path, row.label) for row in journal.rows()]) == (
            2,
            [("photos/b.jpg", "cat"), ("photos/a.jpg", "dog")],
        )
    assert [row.label for row in rows(path)] == ["cat", "dog"]


def test_a_row_stays_valid_until_another_one_is_written(path: Path) -> None:
    record(path, entry(frame("a.jpg")))

    with opened(path) as journal:
        list(journal.pending([frame("a.jpg", size=11)]))
        assert [row.label for row in journal.rows()] == ["cat"]


def test_failed_images_are_retried_on_request(path: Path) -> None:
    record(path, entry(frame("a.jpg")), failure(frame("b.jpg")))

    with opened(path, retry_failed=True) as journal:
        again = [one for one in journal.pending([frame("a.jpg"), frame("b.jpg")]) if one]
        journal.append([entry(one, "dog") for one in again])
        assert (journal.index.done, journal.index.failed) == (2, 0)
    assert [(row.path, row.label) for row in rows(path)] == [("photos/a.jpg", "cat"), ("photos/b.jpg", "dog")]


def test_an_image_that_fails_again_is_retried_once_per_run(path: Path) -> None:
    record(path, failure(frame("b.jpg")))

    with opened(path, retry_failed=True) as journal:
        assert len([one for one in journal.pending([frame("b.jpg"), frame("b.jpg")]) if one]) == 1
        journal.append([failure(frame("b.jpg"))])
        assert (journal.index.done, journal.index.failed, len(list(journal.rows()))) == (1, 1, 1)


def test_an_answer_is_kept_when_its_file_is_missing(path: Path) -> None:
    record(path, entry(frame("a.jpg")), failure(frame("b.jpg")))

    assert pending(path, frame("a.jpg", -1, -1), frame("b.jpg", -1, -1), frame("c.jpg", -1, -1)) == ["b.jpg", "c.jpg"]


def test_a_name_reused_after_a_move_keeps_all_its_rows_except_failures(path: Path) -> None:
    first, second, third = (frame("a.jpg", size) for size in (10, 11, 12))
    record(path, failure(first), moves_files=True)
    with opened(path, retry_failed=True, moves_files=True) as journal:
        for one, label in ((first, "cat"), (second, "dog"), (third, "cow")):
            assert [frame for frame in journal.pending([one]) if frame] == [one]
            journal.append([entry(one, label)])
        assert (journal.index.done, journal.index.failed) == (3, 0)
        assert [row.label for row in journal.rows()] == ["cat", "dog", "cow"]

    assert [row.label for row in rows(path, moves_files=True)] == ["cat", "dog", "cow"]


@pytest.mark.parametrize("again", [False, True], ids=["missing", "fails again"])
def test_retrying_drops_failures_that_no_source_has_any_more(path: Path, again: bool) -> None:
    record(path, entry(frame("a.jpg")), failure(frame("b.jpg")))

    with opened(path, retry_failed=True) as journal:
        for one in journal.pending([frame("b.jpg")] if again else []):
            journal.append([failure(one)] if one else [])
        assert journal.drop_missing_failures() == (not again)
    assert [row.path for row in rows(path)] == ["photos/a.jpg", "photos/b.jpg"][: 1 + again]


def test_an_image_that_fails_for_the_first_time_keeps_its_row_when_failures_are_retried(path: Path) -> None:
    record(path, entry(frame("a.jpg")))

    with opened(path, retry_failed=True) as journal:
        assert list(journal.pending([frame("b.jpg")])) == [frame("b.jpg")]
        journal.append([failure(frame("b.jpg"))])
        assert journal.drop_missing_failures() == 0
    assert [row.path for row in rows(path)] == ["photos/a.jpg", "photos/b.jpg"]


def test_lines_that_no_run_wrote_are_an_output_error(path: Path) -> None:
    record(path, entry(frame("a.jpg")))
    path.write_bytes(path.read_bytes() + b'{"path":"b.jpg"}\n')

    with pytest.raises(OutputError, match=r"lines that clf-run did not write .*--restart"):
        rows(path)


def test_an_image_that_is_named_twice_is_returned_once(path: Path) -> None:
    assert pending(path, frame("a.jpg"), frame("a.jpg"), frame("a.jpg", source=1)) == ["a.jpg", "a.jpg"]


def test_pauses_are_passed_on(path: Path) -> None:
    with opened(path) as journal:
        assert list(journal.pending([None, frame("a.jpg"), None])) == [None, frame("a.jpg"), None]


def test_a_moved_source_keeps_its_rows_under_its_new_name(path: Path) -> None:
    record(path, entry(frame("a.jpg")))
    elsewhere = MADE_WITH | {"--source": ["/media/photos/"]}

    with open_journal(path, elsewhere, ["/media/photos/"], JournalOptions(sources_moved=True)) as journal:
        assert [row.path for row in journal.rows()] == ["/media/photos/a.jpg"]


@pytest.mark.parametrize(
    ("made_with", "said"),
    {
        "model": (MADE_WITH | {"model": "f"}, "was made with model 0123456789abcdef, not model f"),
        "option": (MADE_WITH | {"--topk": 3}, "was made with --topk 1, not --topk 3"),
        "new option": (MADE_WITH | {"--sort": "copy"}, "was made with no --sort, not --sort copy"),
        "source": (
            MADE_WITH | {"--source": ["other/"]},
            "--source photos/, not --source other/; .*--sources-moved",
        ),
        "one more source": (
            MADE_WITH | {"--source": ["photos/", "b"]},
            "--source photos/, not --source photos/ --source b",
        ),
    }.values(),
    ids=["model", "option", "new option", "source", "one more source"],
)
def test_a_journal_made_with_something_else_is_refused(path: Path, made_with: dict[str, Any], said: str) -> None:
    record(path, entry(frame("a.jpg")))

    with pytest.raises(OutputError, match=said), open_journal(path, made_with, ["photos/"]):
        pass
    assert len(rows(path)) == 1


def test_a_different_option_is_refused_for_moved_sources_too(path: Path) -> None:
    record(path, entry(frame("a.jpg")))

    with (
        pytest.raises(OutputError, match="--topk 1, not --topk 2"),
        open_journal(path, MADE_WITH | {"--topk": 2, "--source": ["x"]}, ["x"], JournalOptions(sources_moved=True)),
    ):
        pass


def test_restart_discards_all_rows(path: Path) -> None:
    record(path, entry(frame("a.jpg")))

    assert pending(path, frame("a.jpg"), restart=True) == ["a.jpg"]
    assert rows(path) == []


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


def test_restart_keeps_a_journal_that_knows_where_images_were_moved_to(path: Path) -> None:
    moved = entry(frame("a.jpg"))
    record(path, Entry(moved.frame, moved.row, {"how": "move", "from": "/photos/a.jpg", "to": "/sorted/a.jpg"}))

    with pytest.raises(OutputError, match=f"clf-run undo {path}"):
        rows(path, restart=True)
    assert len(rows(path)) == 1


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


def test_a_journal_without_a_row_is_removed(path: Path) -> None:
    record(path)

    assert not path.exists()


def test_every_line_is_ascii_json(path: Path) -> None:
    record(path, entry(frame(os.fsdecode(b"caf\xe9 \xe2\x98\x83 \x1b[31m.jpg"))))

    lines = path.read_bytes().splitlines()
    assert all(line.isascii() for line in lines)
    assert [sorted(json.loads(line))[:2] for line in lines] == [
        ["edgeclf_journal", "fingerprint"],
        ["session"],
        ["confidence", "height"],
    ]


@pytest.mark.slow
def test_an_image_takes_less_than_200_bytes_of_memory(path: Path) -> None:
    count = 100_000
    with opened(path) as journal:
        journal.append([entry(frame(f"site{number // 1000:04}/IMG_{number:07}.jpg", number)) for number in range(count)])

    tracemalloc.start()
    with opened(path) as journal:
        held, _ = tracemalloc.get_traced_memory()
        assert journal.index.done == count
    tracemalloc.stop()
    assert held / count < 200


def test_appending_costs_the_same_however_long_the_journal_is(path: Path) -> None:
    """Nothing is rewritten: every batch adds a line of the same size to the file."""
    with opened(path) as journal:
        sizes = [_growth(journal, path, number) for number in range(200)]
    assert max(sizes) - min(sizes) <= 8  # longer numbers


def _growth(journal: Journal, path: Path, number: int) -> int:
    before = path.stat().st_size
    journal.append([entry(frame(f"{number}.jpg"))])
    return path.stat().st_size - before


@pytest.fixture(autouse=True)
def no_trace() -> Iterator[None]:
    yield
    tracemalloc.stop()
