"""The journal: acknowledged rows survive whatever happens, once each."""

import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.journal import Entry, Journal, JournalOptions, open_journal
from tests.support.journals import MADE_WITH, entry, failure, frame, opened, pending, record, rows


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


def test_restart_keeps_a_journal_that_knows_where_images_were_moved_to(path: Path) -> None:
    moved = entry(frame("a.jpg"))
    record(path, Entry(moved.frame, moved.row, {"how": "move", "from": "/photos/a.jpg", "to": "/sorted/a.jpg"}))

    with pytest.raises(OutputError, match=f"clf-run undo {path}"):
        rows(path, restart=True)
    assert len(rows(path)) == 1


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


def test_a_journal_of_the_schema_before_is_refused_in_one_sentence(path: Path) -> None:
    record(path, entry(frame("a.jpg")))
    path.write_bytes(path.read_bytes().replace(b'{"edgeclf_journal":2', b'{"edgeclf_journal":1'))

    with pytest.raises(OutputError, match="not a journal of this version of clf-run; choose another -o, or add --restart"):
        record(path, entry(frame("b.jpg")))
