"""Journals for tests: frames, entries, and a journal that is opened for one call."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.journal import Entry, Journal, JournalOptions, open_journal
from edgeclf.runtime.results.row import Row, known_or_none

MADE_WITH = {"model": "0123456789abcdef", "--source": ["photos/"], "--topk": 1}


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
