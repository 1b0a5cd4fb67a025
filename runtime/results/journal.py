"""The journal of a run: a row in it is safe from any kill, and the same command goes on from there.

A header says what the rows are made with; every output is made from the rows, and `clf-run undo` reads them, too.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.fingerprint import Fingerprint, check_fingerprint
from edgeclf.runtime.results.index import Index, Key, key_of
from edgeclf.runtime.results.journal_file import VERSION, VERSION_KEY, JournalFile, Line
from edgeclf.runtime.results.row import Row, known

_MOVED = b'"sorted":{"how":"move"'
_DROPPED = "dropped"
_SORTED, _BUT = "sorted_so_far", "but"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to be: the row of a frame. sorted: what becomes of its file, as `clf-run undo` wants it, or None."""

    frame: Frame
    row: Row
    sorted: Line | None = None


class Journal:
    """An open journal; `open_journal` makes one.

    prefixes: what goes before the paths of each source. unsorted: by image, the lines of which nobody has said that the
    image is where its row says: those of the last batch before a kill.
    """

    def __init__(self, file: JournalFile, fingerprint: Fingerprint, prefixes: Sequence[str], index: Index) -> None:
        self.path = file.path
        self.unsorted: dict[Key, Line] = {}
        self.index = index
        self._file = file
        self._prefixes = prefixes
        self._model = str(fingerprint.get("model", ""))

    def pending(self, frames: Iterable[Frame | None]) -> Iterator[Frame | None]:
        """The frames that have no row yet, whose file has changed since, or which are to be tried again.

        One that is named twice is given once. None, for a pause, is handed on.
        """
        for frame in frames:
            if frame is None or self.index.claim(frame):
                yield frame

    def append(self, entries: Sequence[Entry]) -> None:
        """Write a line each. Once it returns, no kill loses any of them; if it raises OutputError, none is there."""
        self._file.write(map(_line, entries))
        for entry in entries:
            frame, failed = entry.frame, entry.row.status == "error"
            self.unsorted.pop(key_of(frame.source, frame.path), None)
            self.index.add(frame.source, frame.path, frame.size_bytes, frame.mtime_ns, failed=failed)

    def sync(self) -> None:
        """Everything to the disk now, in case the power fails. Raises OutputError."""
        self._file.sync()

    def mark_sorted(self) -> None:
        """Say that every image is where its row says, but for those in `unsorted`."""
        self._file.write([{_SORTED: self.index.lines, _BUT: [_place(line) for line in self.unsorted.values()]}])

    def sort_again(self) -> None:
        """Let every image in `unsorted` have another row, and so be sorted again."""
        for key in self.unsorted:
            self.index.forget(key)

    def drop_unmet(self) -> int:
        """Leave out the rows of failures that were to be tried again and that no source gave any more; how many they are."""
        unmet = self.index.unmet()
        places = {tuple(_place(line)) for line in self._file.lines() if "path" in line and _key(line) in unmet}
        if places:
            self._file.write([{_DROPPED: sorted(places)}])
        for key in unmet:
            self.index.drop(key)
        return len(unmet)

    def rows(self) -> Iterator[Row]:
        """The row of every image, in the order in which they were classified; of several, the last."""
        lines = (line for line in self._file.lines() if "path" in line)
        for number, line in enumerate(lines):
            if not self.index.repeated or self.index.counts(_key(line), number):
                yield self._row(line)

    def take_up(self, lines: Iterable[Line]) -> None:
        """Remember the images of an earlier run."""
        for line in lines:
            if _SORTED in line:
                self.unsorted = {key: one for key, one in self.unsorted.items() if _place(one) in line[_BUT]}
            for place in line.get(_DROPPED, ()):
                self.index.drop(key_of(*place))
            if "path" not in line:
                continue
            if "sorted" in line:
                self.unsorted[_key(line)] = line
            source, failed = line.get("source", 0), line["status"] == "error"
            self.index.add(source, line["path"], line["size"], line["mtime_ns"], failed=failed)

    def _row(self, line: Line) -> Row:
        return Row(
            self._prefixes[line.get("source", 0)] + line["path"],
            line["status"],
            line.get("label", ""),
            line.get("confidence"),
            line.get("top", {}),
            line.get("error", ""),
            line.get("detail", ""),
            line.get("width"),
            line.get("height"),
            line.get("sorted_to", ""),
            self._model,
            line["time"],
            line.get("position_s"),
            size_bytes=known(line["size"]),
            mtime_ns=known(line["mtime_ns"]),
        )


@contextmanager
def open_journal(
    path: Path,
    fingerprint: Fingerprint,
    prefixes: Sequence[str],
    *,
    restart: bool = False,
    retry_failed: bool = False,
    elsewhere: bool = False,
    moving: bool = False,
) -> Iterator[Journal]:
    """Begin a journal, or take up the one that is there.

    restart: forget what is there. retry_failed: images without an answer get another row. elsewhere: the sources may be
    named otherwise than they were, because they were moved. moving: as in Index. A journal without a row is removed in the
    end. Raises OutputError for one that was made with something else, that is damaged, or that another process has open.
    """
    file = JournalFile(path)
    try:
        journal = _taken_up(file, fingerprint, prefixes, restart, Index(retry_failed, moving), elsewhere)
        try:
            yield journal
        finally:
            if not journal.index.lines:
                path.unlink(missing_ok=True)  # nobody looks for a journal of nothing
    finally:
        file.close()


def _taken_up(
    file: JournalFile, fingerprint: Fingerprint, prefixes: Sequence[str], restart: bool, index: Index, elsewhere: bool
) -> Journal:
    journal = Journal(file, fingerprint, prefixes, index)
    if restart and file.contains(_MOVED):
        raise OutputError(f"{file.path} says where images were moved to; first: clf-run undo {file.path}, or remove it")
    lines = iter(()) if restart else file.lines()
    header = next(lines, None)
    if header is None:
        file.clear()
        file.write([{VERSION_KEY: VERSION, "fingerprint": fingerprint, "prefixes": list(prefixes)}])
    else:
        _check(header, fingerprint, file.path, elsewhere)
        try:
            journal.take_up(lines)
        except (KeyError, TypeError) as error:
            raise OutputError(
                f"{file.path} has lines that no run has written ({error}); begin anew with --restart"
            ) from None
    file.sign()
    return journal


def _check(header: Line, fingerprint: Fingerprint, path: Path, elsewhere: bool) -> None:
    if header.get(VERSION_KEY) != VERSION:
        raise OutputError(f"{path} is no journal of this version of clf-run; choose another -o, or --restart")
    check_fingerprint(header.get("fingerprint") or {}, fingerprint, path, elsewhere=elsewhere)


def _line(entry: Entry) -> Line:
    frame, row = entry.frame, entry.row
    line: Line = {"path": frame.path, "size": frame.size_bytes, "mtime_ns": frame.mtime_ns, "status": row.status}
    if frame.source:
        line["source"] = frame.source
    if row.status == "error":
        line |= {"error": row.error, "detail": row.detail}
    else:
        line |= {"label": row.label, "confidence": row.confidence, "top": row.top}
    if row.width is not None:
        line |= {"width": row.width, "height": row.height}
    if row.sorted_to:
        line["sorted_to"] = row.sorted_to
    if entry.sorted:
        line["sorted"] = entry.sorted
    line["time"] = row.time
    if row.position_s is not None:
        line["position_s"] = row.position_s
    return line


def _place(line: Line) -> list[Any]:
    return [line.get("source", 0), line["path"]]


def _key(line: Line) -> Key:
    return key_of(line.get("source", 0), line["path"])
