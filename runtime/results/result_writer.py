"""What becomes of outcomes: rows that stream into an output, or rows in a journal from which the output is made."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.prediction import Outcome
from edgeclf.runtime.results.journal import Entry, Journal
from edgeclf.runtime.results.row import Row, RowBuilder
from edgeclf.runtime.results.sinks import Sink, open_sink
from edgeclf.runtime.results.sorting import Sorter
from edgeclf.runtime.results.summary import Summary
from edgeclf.runtime.terminal.console import note


class ResultWriter(Protocol):
    """done, failed: rows so far, those of earlier runs included. whereabouts: where they are after an interruption, for
    people.
    """

    whereabouts: str

    @property
    def done(self) -> int: ...

    @property
    def failed(self) -> int: ...

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        """The frames that need a row."""
        ...

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """A row each; safe from a kill when this returns, as far as the recorder can make it so. Raises OutputError."""
        ...

    def finish(self, summary: Summary) -> None:
        """Everything is recorded: complete the output, and count all of its rows."""
        ...


class StreamWriter:
    """Rows into an output as they come, for stdout and devices: nothing is kept of them."""

    def __init__(self, sink: Sink, builder: RowBuilder) -> None:
        self.whereabouts = f"the rows so far are in {sink.place}" if sink.keeps_rows else "half of such a file is not kept"
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
    """Rows into a journal, images into folders where that is asked for, and in the end an output of all rows."""

    def __init__(
        self,
        journal: Journal,
        builder: RowBuilder,
        output: str,
        *,
        json_lines: bool,
        retry_failed: bool = False,
        sorter: Sorter | None = None,
        check_storage: Callable[[], None] = lambda: None,
    ) -> None:
        """check_storage: called when images were gone before they could be sorted; raises where the whole source is."""
        self.whereabouts = f"they are in {journal.path}, and the same command goes on from there"
        self._retry_failed = retry_failed
        self._check_storage = check_storage
        self._journal = journal
        self._builder = builder
        self._sorter = sorter
        self._output = output
        self._json_lines = json_lines
        if sorter:
            self._take_up(sorter)

    @property
    def done(self) -> int:
        return self._journal.index.done

    @property
    def failed(self) -> int:
        return self._journal.index.failed

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        return self._journal.pending(frames)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        rows = self._builder.rows(outcomes)
        entries = [self._entry(outcome.frame, row) for outcome, row in zip(outcomes, rows, strict=True)]
        self._journal.append(entries)
        if self._sorter and any(entry.sorted for entry in entries):
            self._sort(self._sorter, entries)

    def finish(self, summary: Summary) -> None:
        if self._retry_failed and (dropped := self._journal.drop_unmet()):
            note(f"{dropped:,} of those that failed are not there any more; their rows are left out")
        with open_sink(self._output, json_lines=self._json_lines) as sink:
            for row in self._journal.rows():
                sink.write(row)
                summary.add(row)
        if self._sorter and self._sorter.vanished:
            note(f"{self._sorter.vanished:,} images were gone or changed before they could be sorted")

    def _entry(self, frame: Frame, row: Row) -> Entry:
        if self._sorter is None:
            return Entry(frame, row)
        destination = self._sorter.destination(frame, row)
        return Entry(frame, replace(row, sorted_to=destination), self._sorter.record(frame, destination))

    def _sort(self, sorter: Sorter, entries: Sequence[Entry]) -> None:
        """Their lines are written; now their images follow."""
        if sorter.how == "move":
            self._journal.sync()  # a power cut must not keep the move and lose the line
        vanished = sorter.vanished
        for entry in entries:
            sorter.perform(entry.frame, entry.row.sorted_to)
        if sorter.vanished > vanished:
            self._check_storage()  # once it is back, they are sorted all the same
        self._journal.mark_sorted()

    def _take_up(self, sorter: Sorter) -> None:
        """A kill came between the last rows and their images. What was moved cannot be read again: it is moved now."""
        if sorter.how == "plan":
            for row in self._journal.rows():
                sorter.remember(row.sorted_to)
        elif sorter.how == "move":
            for line in self._journal.unsorted.values():
                origin, size_bytes, mtime_ns = (line["sorted"][name] for name in ("from", "size", "mtime_ns"))
                sorter.perform(Frame(origin, origin, line["path"], 0, size_bytes, mtime_ns), line["sorted_to"])
            self._journal.unsorted.clear()
            self._journal.mark_sorted()
        else:
            self._journal.sort_again()
