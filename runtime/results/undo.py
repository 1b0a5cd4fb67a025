"""Undoing what `--sort` did: the run's journal is read from the last image to the first."""

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
from edgeclf.runtime.results import file_ops
from edgeclf.runtime.results.journal_file import VERSION, VERSION_KEY
from edgeclf.runtime.results.sorted_file import SortedFile
from edgeclf.runtime.storage.lock import is_at, try_lock
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.progress import Progress

_HEADER_BYTES = 1 << 24
"""Longer than any header, and not too much to read of a file of another kind."""
_MTIME_GRAIN_NS = 2_000_000_000
"""FAT stores times in steps of two seconds."""


@dataclass
class UndoResult:
    """sorted: images that the journal lists as sorted. undone: those that were still where sorting had put them, and were
    put back or removed. left_alone: those that were not touched, each with a note that says why. journal: its name now.
    """

    journal: Path
    sorted: int = 0
    undone: int = 0
    left_alone: int = 0


class LeftAloneError(Exception):
    """An image has changed since it was sorted, so it is not touched; the message says what has changed."""


def undo(journal: Path, *, dry_run: bool = False, show: Callable[[SortedFile], None] = lambda _: None) -> UndoResult:
    """Move back what was moved, remove copies and links, then remove the folders that were created for them.

    Files that have changed since are left alone. If there are none, the journal is renamed to `JOURNAL.undone`, and the next
    run starts from the beginning. After a kill, a second call completes the first. dry_run: change nothing. show: called
    for each image that is undone. Raises OutputError if the file is not a journal, or if a run has it open.
    """
    with _locked(journal) as file:
        sorted_files = _SortedFiles(file, journal)
        result = UndoResult(journal, len(sorted_files), left_alone=sorted_files.damaged)
        with Progress("undoing", len(sorted_files)) as progress:
            for sorted_file in _missing_last(sorted_files):
                try:
                    result.undone += _undo_one(sorted_file, dry_run, show)
                except (LeftAloneError, OSError) as error:
                    note(f"left alone: {sorted_file.target}: {getattr(error, 'strerror', None) or error}")
                    result.left_alone += 1
                progress.advance()
        if not dry_run:
            _remove_folders(sorted_files.folders)
    if result.sorted and not result.left_alone and not dry_run:
        result.journal = _retire(journal)
    return result


def _missing_last(sorted_files: Iterable[SortedFile]) -> Iterator[SortedFile]:
    """An image that was named twice was moved once; its second row is fine once the first one has been undone."""
    missing = []
    for sorted_file in sorted_files:
        if os.path.lexists(sorted_file.target) or os.path.lexists(sorted_file.source):
            yield sorted_file
        else:
            missing.append(sorted_file)
    yield from missing


def _undo_one(sorted_file: SortedFile, dry_run: bool, show: Callable[[SortedFile], None]) -> bool:
    """Whether there was something to do."""
    action = _action_for(sorted_file)
    if action:
        show(sorted_file)
    if not dry_run:
        if action:
            action()
        file_ops.remove_temporary(sorted_file.source, sorted_file.target)
    return action is not None


def _action_for(sorted_file: SortedFile) -> Callable[[], None] | None:
    """What undoes it; None if that is done already. Raises LeftAloneError, or OSError."""
    if os.path.lexists(sorted_file.target):
        return _ACTIONS[sorted_file.action](sorted_file)
    if sorted_file.action == "move" and not os.path.lexists(sorted_file.source):
        raise LeftAloneError(f"it is missing, and so is {sorted_file.source}")
    return None


def _move_back(sorted_file: SortedFile) -> Callable[[], None]:
    source, target = sorted_file.source, sorted_file.target
    if os.path.getsize(target) != sorted_file.size_bytes:
        raise LeftAloneError("it has changed since it was sorted")
    if os.path.lexists(source) and not file_ops.is_same(target, source):
        raise LeftAloneError(f"something else is at {source} now")
    return partial(file_ops.move_file, target, source)


def _remove_copy(sorted_file: SortedFile) -> Callable[[], None]:
    status = os.lstat(sorted_file.target)
    has_same_time = abs(status.st_mtime_ns - sorted_file.mtime_ns) <= _MTIME_GRAIN_NS
    try:
        os.lstat(sorted_file.source)
        if file_ops.is_same_entry(sorted_file.source, sorted_file.target):
            raise LeftAloneError("it is the original itself")
    except NotADirectoryError:  # in an archive, whose files have other times or none
        has_same_time = True
    except FileNotFoundError:
        raise LeftAloneError(f"{sorted_file.source} is missing, so this copy is the only one") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size != sorted_file.size_bytes or not has_same_time:
        raise LeftAloneError("it has changed since it was sorted")
    return partial(os.unlink, sorted_file.target)


def _remove_link(sorted_file: SortedFile) -> Callable[[], None]:
    if not file_ops.is_link_to(sorted_file.source, sorted_file.target):
        raise LeftAloneError(f"it is no longer a link to {sorted_file.source}")
    return partial(os.unlink, sorted_file.target)


_ACTIONS: dict[str, Callable[[SortedFile], Callable[[], None]]] = {
    "move": _move_back,
    "copy": _remove_copy,
    "link": _remove_link,
}


class _SortedFiles:
    """The sorted files in a journal, the last one first. Only their offsets in the journal are kept in memory.

    damaged: lines that cannot be read. folders: folders that sorting created, as far as the iteration has come.
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
                self._add_folders(sorted_file)
                yield sorted_file

    def _scan(self) -> None:
        header = _parse(self._file.readline(_HEADER_BYTES))
        if header is None or header.get(VERSION_KEY) != VERSION:
            raise OutputError(f"{self._path} is not a journal of this version of clf-run; name that of a run with --sort")
        self._file.seek(0)
        offset = 0
        for number, line in enumerate(self._file, 1):
            if line.endswith(b"\n"):  # a line torn by a kill was never acknowledged
                self._scan_line(line, offset, number)
            offset += len(line)

    def _scan_line(self, line: bytes, offset: int, number: int) -> None:
        fields = _parse(line)
        if fields is None:
            note(f"left alone: line {number:,} of {self._path} is damaged")
            self.damaged += 1
        elif _sorted_file(fields):
            self._offsets.append(offset)

    def _add_folders(self, sorted_file: SortedFile) -> None:
        folder = sorted_file.target
        for _ in range(sorted_file.new_folders):
            folder = os.path.dirname(folder)
            self.folders.add(folder)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The open journal. No run can write to it meanwhile."""
    try:
        file = open(path, "r+b")  # noqa: SIM115  # on a network disk, only a file open for writing can be locked
    except OSError as error:
        raise OutputError(f"cannot open {path}: {error.strerror or error}; name the journal of a run with --sort") from None
    with file:
        if not try_lock(file.fileno()):
            raise OutputError(f"a run has {path} open; wait for it to finish, or end it with Ctrl-C")
        if not is_at(file.fileno(), path):
            raise OutputError(f"{path} was just undone by another process")
        yield file


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _sorted_file(fields: dict[str, Any]) -> SortedFile | None:
    return SortedFile.from_json(fields.get("sorted"))


def _remove_folders(folders: set[str]) -> None:
    """The innermost first; a folder that is not empty stays."""
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):
            os.rmdir(folder)


def _retire(journal: Path) -> Path:
    """Rename the journal, so that no run finds it. Nothing is overwritten."""
    names = (journal.with_name(f"{journal.name}.undone{number if number > 1 else ''}") for number in count(1))
    retired = next(name for name in names if not os.path.lexists(name))
    os.rename(journal, retired)
    return retired
