"""Taking back what `--sort` did, by the journal of the run, from the last image to the first."""

import json
import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.results import file_ops as filing
from edgeclf.runtime.results.journal_file import VERSION, VERSION_KEY
from edgeclf.runtime.results.sorted_file import SortedFile
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_HEADER_BYTES = 1 << 24
"""Longer than any header, and little of a file that is something else."""
_MTIME_GRAIN_NS = 2_000_000_000
"""FAT keeps no more of a time than two seconds."""


@dataclass
class Undone:
    """sorted: images that the journal says were sorted. taken_back: those that were still where sorting put them.
    left: those that were left as they are, each with a note why. journal: what it is called now.
    """

    journal: Path
    sorted: int = 0
    taken_back: int = 0
    left: int = 0


class LeftAloneError(Exception):
    """An image that is not as sorting left it, and is not touched; the message says why."""


def undo(journal: Path, *, dry_run: bool = False, show: Callable[[SortedFile], None] = lambda _: None) -> Undone:
    """Put back what was moved, remove copies and links, then the folders that were made for them.

    Whatever was changed since is left alone. When nothing is left, the journal becomes `JOURNAL.undone`, and the next run
    begins anew; a second attempt after a kill completes the first. dry_run: change nothing. show: called for each image
    that is to be taken back. Raises OutputError for a file that is no journal, or that a run has open.
    """
    with _locked(journal) as file:
        sorted_files = _SortedFiles(file, journal)
        undone = Undone(journal, len(sorted_files), left=sorted_files.damaged)
        with Progress("undoing", len(sorted_files)) as progress:
            for sorted_file in _gone_ones_last(sorted_files):
                try:
                    undone.taken_back += _take_back(sorted_file, dry_run, show)
                except (LeftAloneError, OSError) as error:
                    note(f"left alone: {sorted_file.target}: {getattr(error, 'strerror', None) or error}")
                    undone.left += 1
                progress.advance()
        if not dry_run:
            _remove_folders(sorted_files.folders)
        if undone.sorted and not undone.left and not dry_run:
            undone.journal = _retire(journal)
    return undone


def action_for(sorted_file: SortedFile) -> Callable[[], None] | None:
    """What takes it back; None where that is done already. Raises LeftAloneError, or OSError."""
    if os.path.lexists(sorted_file.target):
        return _ACTIONS[sorted_file.how](sorted_file)
    if sorted_file.how == "move" and not os.path.lexists(sorted_file.source):
        raise LeftAloneError(f"it is gone, and {sorted_file.source} is, too")
    return None


def _gone_ones_last(sorted_files: Iterable[SortedFile]) -> Iterator[SortedFile]:
    """An image that was named twice was moved once; its second row is in order when the first has been taken back."""
    gone = []
    for sorted_file in sorted_files:
        if os.path.lexists(sorted_file.target) or os.path.lexists(sorted_file.source):
            yield sorted_file
        else:
            gone.append(sorted_file)
    yield from gone


def _take_back(sorted_file: SortedFile, dry_run: bool, show: Callable[[SortedFile], None]) -> bool:
    """Whether there was something to do."""
    action = action_for(sorted_file)
    if action:
        show(sorted_file)
    if not dry_run:
        if action:
            action()
        filing.drop_part(sorted_file.source, sorted_file.target)
    return action is not None


def _move_back(sorted_file: SortedFile) -> Callable[[], None]:
    source, target = sorted_file.source, sorted_file.target
    if os.path.getsize(target) != sorted_file.size_bytes:
        raise LeftAloneError("it was changed since")
    if os.path.lexists(source) and not filing.is_same(target, source):
        raise LeftAloneError(f"something else is at {source} by now")
    return partial(filing.move_file, target, source)


def _remove_copy(sorted_file: SortedFile) -> Callable[[], None]:
    status = os.lstat(sorted_file.target)
    same_time = abs(status.st_mtime_ns - sorted_file.mtime_ns) <= _MTIME_GRAIN_NS
    try:
        os.lstat(sorted_file.source)
        if filing.is_same_entry(sorted_file.source, sorted_file.target):
            raise LeftAloneError("it is the original itself")
    except NotADirectoryError:  # in an archive, whose files have other times, or none
        same_time = True
    except FileNotFoundError:
        raise LeftAloneError(f"{sorted_file.source} is gone, so this copy is the only one") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size != sorted_file.size_bytes or not same_time:
        raise LeftAloneError("it was changed since")
    return partial(os.unlink, sorted_file.target)


def _remove_link(sorted_file: SortedFile) -> Callable[[], None]:
    if not filing.is_link_to(sorted_file.source, sorted_file.target):
        raise LeftAloneError(f"it is no link to {sorted_file.source} any more")
    return partial(os.unlink, sorted_file.target)


_ACTIONS: dict[str, Callable[[SortedFile], Callable[[], None]]] = {
    "move": _move_back,
    "copy": _remove_copy,
    "link": _remove_link,
}


class _SortedFiles:
    """Those in a journal, the last one first. Only their places in the file are held in memory.

    damaged: lines that cannot be read. folders: those that sorting made, as far as the relocations read so far tell.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.damaged = 0
        self.folders: set[str] = set()
        self._file = file
        self._path = path
        self._offsets = array("Q")
        self._scan()

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[SortedFile]:
        for offset in reversed(self._offsets):
            self._file.seek(offset)
            sorted_file = _sorted_file(json.loads(self._file.readline()))
            if sorted_file:
                self._note_folders(sorted_file)
                yield sorted_file

    def _scan(self) -> None:
        header = _parsed(self._file.readline(_HEADER_BYTES))
        if header is None or header.get(VERSION_KEY) != VERSION:
            raise OutputError(f"{self._path} is no journal of this version of clf-run; name that of a run with --sort")
        self._file.seek(0)
        offset = 0
        for number, line in enumerate(self._file, 1):
            if line.endswith(b"\n"):  # what a kill has torn was never acknowledged
                self._look(line, offset, number)
            offset += len(line)

    def _look(self, line: bytes, offset: int, number: int) -> None:
        fields = _parsed(line)
        if fields is None:
            note(f"left alone: line {number:,} of {self._path} is damaged")
            self.damaged += 1
        elif _sorted_file(fields):
            self._offsets.append(offset)

    def _note_folders(self, sorted_file: SortedFile) -> None:
        folder = sorted_file.target
        for _ in range(sorted_file.made):
            folder = os.path.dirname(folder)
            self.folders.add(folder)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The journal, which no run may write to meanwhile."""
    try:
        file = open(path, "r+b")  # noqa: SIM115  # a lock on a network disk wants a file that may be written to
    except OSError as error:
        raise OutputError(f"cannot open {path}: {error.strerror or error}; name the journal of a run with --sort") from None
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"a run has {path} open; wait for it, or end it with Ctrl-C") from None
        if not os.path.exists(path) or not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            raise OutputError(f"{path} was just undone by another process")
        yield file


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _sorted_file(fields: dict[str, Any]) -> SortedFile | None:
    return SortedFile.from_json(fields.get("sorted"))


def _remove_folders(folders: set[str]) -> None:
    """The innermost first; one that holds something else by now stays."""
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):
            os.rmdir(folder)


def _retire(journal: Path) -> Path:
    """Give it a name that no run looks for, and that no other has."""
    names = (journal.with_name(f"{journal.name}.undone{number if number > 1 else ''}") for number in count(1))
    retired = next(name for name in names if not os.path.lexists(name))
    os.rename(journal, retired)
    return retired
