"""The journal of a run: rows in it survive any kill, and the same command continues from there.

A header says what the rows are made with. Outputs are made from the rows, and `clf-run undo` reads them too.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.photo import NO_PHOTO, Photo
from edgeclf.runtime.results.fingerprint import Fingerprint, check_fingerprint
from edgeclf.runtime.results.index import ImageKey, Index, image_key
from edgeclf.runtime.results.journal_file import VERSION, VERSION_KEY, JournalFile, Line
from edgeclf.runtime.results.row import Row, known_or_none

_MOVED = b'"sorted":{"how":"move"'
_DROPPED_KEY = "dropped"
_SORTED_KEY, _EXCEPT_KEY = "sorted_so_far", "but"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to write: the row of a frame. sorted: what sorting will do with its file, for `clf-run undo`, or None."""

    frame: Frame
    row: Row
    sorted: Line | None = None


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """What to do with a journal that exists.

    restart: discard its rows. retry_failed: images without an answer get another row. sources_moved: the sources may have
    other names than before. moves_files: as in Index.
    """

    restart: bool = False
    retry_failed: bool = False
    sources_moved: bool = False
    moves_files: bool = False


class Journal:
    """An open journal, from `open_journal`.

    prefixes: what comes before the paths of each source. unsorted: the lines of images that may not have been sorted yet,
    by image: those of the last batch before a kill.
    """

    def __init__(self, file: JournalFile, fingerprint: Fingerprint, prefixes: Sequence[str], index: Index) -> None:
        self.path = file.path
        self.unsorted: dict[ImageKey, Line] = {}
        self.index = index
        self._file = file
        self._prefixes = prefixes
        self._model = str(fingerprint.get("model", ""))

    def pending(
        self, frames: Iterable[Frame | None], is_complete: Callable[[Frame], bool] = lambda _: True
    ) -> Iterator[Frame | None]:
        """The frames that have no row yet, whose file has changed since, or that are to be retried.

        A frame that is named twice is returned once. None, which stands for a pause, is passed on. is_complete: as in
        `Index.claim`.
        """
        for frame in frames:
            if frame is None or self.index.claim(frame, is_complete):
                yield frame

    def append(self, entries: Sequence[Entry]) -> None:
        """Write a line for each. After it returns, no kill loses any of them. If it raises OutputError, none was written."""
        self._file.write(map(_to_line, entries))
        for entry in entries:
            frame, failed = entry.frame, entry.row.status == "error"
            self.unsorted.pop(image_key(frame.source, frame.path), None)
            self.index.add(frame.source, frame.path, frame.size_bytes, frame.mtime_ns, failed=failed)

    def sync(self) -> None:
        """Flush everything to the disk, in case the power fails. Raises OutputError."""
        self._file.sync()

    def mark_sorted(self) -> None:
        """Write that every image is where its row says, except those in `unsorted`."""
        exceptions = [_place(line) for line in self.unsorted.values()]
        self._file.write([{_SORTED_KEY: self.index.lines, _EXCEPT_KEY: exceptions}])

    def classify_unsorted_again(self) -> None:
        """Give every image in `unsorted` another row, so that it is sorted again."""
        for key in self.unsorted:
            self.index.expect_new_row(key)

    def drop_missing_failures(self) -> int:
        """Drop the rows of failures that were to be retried but are in no source any more. Returns how many."""
        missing = self.index.missing_failures()
        if not missing:
            return 0
        places = {tuple(_place(line)) for line in self._file.lines() if "path" in line and _key(line) in missing}
        self._file.write([{_DROPPED_KEY: sorted(places)}])
        for key in missing:
            self.index.remove(key)
        return len(missing)

    def rows(self) -> Iterator[Row]:
        """The row of every image, in the order of classification; if an image has several rows, the last."""
        lines = (line for line in self._file.lines() if "path" in line)
        for number, line in enumerate(lines):
            if not self.index.has_outdated_lines or self.index.is_valid(_key(line), number):
                yield self._to_row(line)

    def load(self, lines: Iterable[Line]) -> None:
        """Enter the lines of earlier runs into the index."""
        for line in lines:
            if _SORTED_KEY in line:
                exceptions = line[_EXCEPT_KEY]
                self.unsorted = {key: one for key, one in self.unsorted.items() if _place(one) in exceptions}
            for place in line.get(_DROPPED_KEY, ()):
                self.index.remove(image_key(*place))
            if "path" not in line:
                continue
            if "sorted" in line:
                self.unsorted[_key(line)] = line
            source, failed = line.get("source", 0), line["status"] == "error"
            self.index.add(source, line["path"], line["size"], line["mtime_ns"], failed=failed)

    def _to_row(self, line: Line) -> Row:
        return Row(
            path=self._prefixes[line.get("source", 0)] + line["path"],
            status=line["status"],
            label=line.get("label", ""),
            confidence=line.get("confidence"),
            top=line.get("top", {}),
            guess=line.get("guess", ""),
            novelty=line.get("novelty"),
            error=line.get("error", ""),
            detail=line.get("detail", ""),
            width=line.get("width"),
            height=line.get("height"),
            photo=Photo(**line["photo"]) if "photo" in line else NO_PHOTO,
            sorted_to=line.get("sorted_to", ""),
            model=self._model,
            time=line["time"],
            position_s=line.get("position_s"),
            size_bytes=known_or_none(line["size"]),
            mtime_ns=known_or_none(line["mtime_ns"]),
            embedding=b64decode(line.get("embedding", "")),
        )


@contextmanager
def open_journal(
    path: Path,
    fingerprint: Fingerprint,
    prefixes: Sequence[str],
    options: JournalOptions = JournalOptions(),
) -> Iterator[Journal]:
    """Create a journal, or continue the one that exists. A journal without a row is removed in the end.

    Raises OutputError if the journal was made with something else, is damaged, or is open in another process.
    """
    file = JournalFile(path)
    try:
        journal = Journal(file, fingerprint, prefixes, Index(options.retry_failed, options.moves_files))
        _load_or_create(journal, file, fingerprint, prefixes, options)
        file.write_session()
        try:
            yield journal
        finally:
            if not journal.index.lines:
                path.unlink(missing_ok=True)
    finally:
        file.close()


def _load_or_create(
    journal: Journal, file: JournalFile, fingerprint: Fingerprint, prefixes: Sequence[str], options: JournalOptions
) -> None:
    if options.restart and file.contains(_MOVED):
        raise OutputError(
            f"{file.path} says where images were moved to; run clf-run undo {file.path} first, or remove the file"
        )
    with closing(file.lines()) as lines:  # an open reader would keep the file locked
        header = None if options.restart else next(lines, None)
        if header is None:
            file.clear()
            file.write([{VERSION_KEY: VERSION, "fingerprint": fingerprint, "prefixes": list(prefixes)}])
            return
        if header.get(VERSION_KEY) != VERSION:
            raise OutputError(
                f"{file.path} is not a journal of this version of clf-run; choose another -o, or add --restart"
            )
        check_fingerprint(header.get("fingerprint") or {}, fingerprint, file.path, sources_moved=options.sources_moved)
        try:
            journal.load(lines)
        except (KeyError, TypeError) as error:
            raise OutputError(
                f"{file.path} has lines that clf-run did not write ({error}); start again with --restart"
            ) from None


def _to_line(entry: Entry) -> Line:
    frame, row = entry.frame, entry.row
    line: Line = {"path": frame.path, "size": frame.size_bytes, "mtime_ns": frame.mtime_ns, "status": row.status}
    if frame.source:
        line["source"] = frame.source
    if row.status == "error":
        line |= {"error": row.error, "detail": row.detail}
    else:
        line |= {"label": row.label, "confidence": row.confidence, "top": row.top}
    if row.guess:
        line["guess"] = row.guess
    if row.novelty is not None:
        line["novelty"] = row.novelty
    if row.width is not None:
        line |= {"width": row.width, "height": row.height}
    if row.photo != NO_PHOTO:
        line["photo"] = asdict(row.photo)
    if row.sorted_to:
        line["sorted_to"] = row.sorted_to
    if entry.sorted:
        line["sorted"] = entry.sorted
    line["time"] = row.time
    if row.position_s is not None:
        line["position_s"] = row.position_s
    if row.embedding:
        line["embedding"] = b64encode(row.embedding).decode()
    return line


def _place(line: Line) -> list[Any]:
    return [line.get("source", 0), line["path"]]


def _key(line: Line) -> ImageKey:
    return image_key(line.get("source", 0), line["path"])
