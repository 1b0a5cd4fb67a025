"""What happens to outcomes: their rows are streamed into an output, or kept in a journal from which the output is made."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.prediction import Outcome
from edgeclf.runtime.results.journal import Entry, Journal
from edgeclf.runtime.results.journal_file import Line
from edgeclf.runtime.results.row import Row, RowBuilder
from edgeclf.runtime.results.sinks import Sink
from edgeclf.runtime.results.sorting import Sorter
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural


class ResultWriter(Protocol):
    """done, failed: rows so far, including those of earlier runs. after_interrupt: tells the user where the rows are when
    the run was interrupted.
    """

    after_interrupt: str

    @property
    def done(self) -> int: ...

    @property
    def failed(self) -> int: ...

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        """The frames that need a row."""
        ...

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write a row for each. Rows in a journal survive any kill once this returns. Raises OutputError."""
        ...

    def finish(self, summary: Summary) -> None:
        """Complete the output once all outcomes are recorded, and count its rows."""
        ...


class StreamWriter:
    """Writes rows into an output as they come, for stdout and devices, and keeps none of them."""

    def __init__(self, sink: Sink, builder: RowBuilder) -> None:
        self.after_interrupt = (
            f"the rows so far are in {sink.path}" if sink.keeps_rows else "an incomplete file of this format is not kept"
        )
        self.done = self.failed = 0
        self._sink = sink
        self._builder = builder
        self._summary = Summary()

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        yield from frames

    def record(self, outcomes: Sequence[Outcome]) -> None:
        for row in self._builder.rows(outcomes):
            self._sink.write(row)
            self._summary.add(row)
            self.failed += row.status == "error"
        self._sink.flush()
        self.done += len(outcomes)

    def finish(self, summary: Summary) -> None:
        summary.update(self._summary)


class JournalWriter:
    """Writes rows into a journal, sorts images into folders if asked to, and in the end makes the output from all rows."""

    def __init__(
        self,
        journal: Journal,
        builder: RowBuilder,
        open_output: Callable[[], AbstractContextManager[Sink]],
        *,
        sorter: Sorter | None = None,
        check_storage: Callable[[], None] = lambda: None,
        is_complete: Callable[[Frame], bool] = lambda _: True,
        open_embeddings: Callable[[int], AbstractContextManager[Sink]] | None = None,
    ) -> None:
        """check_storage: called if images were missing before they were sorted; raises if the whole source is missing.

        is_complete: as in `Index.claim`. open_embeddings: opens a second output, for the embeddings of so many rows.
        """
        self.after_interrupt = f"they are in {journal.path}; run the same command again to continue"
        self._check_storage = check_storage
        self._journal = journal
        self._builder = builder
        self._sorter = sorter
        self._is_complete = is_complete
        self._open_output = open_output
        self._open_embeddings = open_embeddings
        if sorter:
            self._finish_earlier_sorting(sorter)

    @property
    def done(self) -> int:
        return self._journal.index.done

    @property
    def failed(self) -> int:
        return self._journal.index.failed

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        return self._journal.pending(frames, self._is_complete)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        rows = self._builder.rows(outcomes)
        entries = [self._entry(outcome.frame, row) for outcome, row in zip(outcomes, rows, strict=True)]
        self._journal.append(entries)
        if self._sorter and any(entry.sorted for entry in entries):
            self._sort(self._sorter, entries)

    def finish(self, summary: Summary) -> None:
        if dropped := self._journal.drop_missing_failures():
            note(f"rows left out, because the image failed before and is missing now: {dropped:,}")
        with self._open_output() as sink:
            for row in self._journal.rows():
                sink.write(row)
                summary.add(row)
        if self._open_embeddings:
            with self._open_embeddings(summary.answered) as sink:
                for row in self._journal.rows():
                    if row.embedding:
                        sink.write(row)
        if self._sorter and self._sorter.vanished:
            note(f"{plural(self._sorter.vanished, 'image')} not sorted: missing or changed since classification")

    def _entry(self, frame: Frame, row: Row) -> Entry:
        if self._sorter is None:
            return Entry(frame, row)
        destination = self._sorter.destination(frame, row)
        return Entry(frame, replace(row, sorted_to=destination), self._sorter.journal_fields(frame, destination))

    def _sort(self, sorter: Sorter, entries: Sequence[Entry]) -> None:
        """Sort the images whose lines have just been written."""
        if sorter.mode == "move":
            self._journal.sync()  # a power cut must not keep the move and lose the line
        vanished = sorter.vanished
        for entry in entries:
            sorter.perform(entry.frame, entry.row.sorted_to)
        if sorter.vanished > vanished:
            self._check_storage()  # if the source is back later, these images are sorted after all
        self._journal.mark_sorted()

    def _finish_earlier_sorting(self, sorter: Sorter) -> None:
        """Sort what was recorded before a kill but not sorted. An image that may have moved cannot be read: move it now."""
        if sorter.mode == "plan":
            for row in self._journal.rows():
                sorter.reserve(row.sorted_to)
        elif sorter.mode == "move":
            for line in self._journal.unsorted.values():
                sorter.perform(_frame_to_move(line), line["sorted_to"])
            self._journal.unsorted.clear()
            self._journal.mark_sorted()
        else:
            self._journal.classify_unsorted_again()


def _frame_to_move(line: Line) -> Frame:
    origin = line["sorted"]["from"]
    return Frame(
        name=origin,
        image=origin,
        path=line["path"],
        size_bytes=line["sorted"]["size"],
        mtime_ns=line["sorted"]["mtime_ns"],
    )
