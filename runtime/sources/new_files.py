"""New images in a folder since it was last looked at.

The folder is polled: inotify does not see what other machines write over a network.
"""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.file_leases import is_being_written
from edgeclf.runtime.sources.folders import is_image, list_folder
from edgeclf.runtime.sources.source_part import file_frame

SETTLE_S = 1.0
"""A file is complete when its size and time have not changed for this long and no process has it open for writing."""
SCAN_S = 1.0
"""The pause between two scans for new files."""

_SLICE_S = 0.1
_FRESH_S = 3.0
"""A folder is listed again for this long after a change: some disks store its time in steps of 2 s, which hides changes."""
_NOT_LISTED = -1
_MAX_PENDING = 4096
_RECHECKS = 2000
"""After each scan, this many of the files that were yielded before are checked for newer versions, in turn."""


class NewFiles:
    """The images in a folder and below it: each once it is complete, and again whenever a newer version replaces it.

    A folder is listed again only if its time shows that something in it has changed. For a file that was yielded, only its
    name and one number are kept; more is kept only for files that may not be complete yet.
    """

    def __init__(self, root: str, source: int, follow_links: bool = False) -> None:
        self._root = root
        self._prefix = os.path.join(root, "")
        self._source = source
        self._follow_links = follow_links
        self._folders: dict[str, _Folder] = {}
        self._pending: dict[str, _PendingFile] = {}
        self._scan = self._scan_folders()
        self._rechecks = self._known_files()
        self._next_scan_at = 0.0

    @property
    def skipped(self) -> int:
        """The number of files that are not images, in the folders listed so far."""
        return sum(folder.skipped for folder in self._folders.values())

    def poll(self) -> Iterator[Frame]:
        """The files that are complete by now. Scans in short slices, and pauses for SCAN_S after each scan."""
        yield from self._complete_files()
        until = time.monotonic() + _SLICE_S
        while self._next_scan_at < time.monotonic() < until and len(self._pending) < _MAX_PENDING:
            if not next(self._scan, False):
                self._recheck()
                self._scan = self._scan_folders()
                self._next_scan_at = time.monotonic() + SCAN_S

    def _complete_files(self) -> Iterator[Frame]:
        for path, pending in list(self._pending.items()):
            try:
                status = _status(path)
            except (FileNotFoundError, NotADirectoryError):
                del self._pending[path]
                pending.folder.versions.pop(pending.name, None)
                continue
            except OSError:  # an unstable network; try again at the next poll
                continue
            if pending.is_complete(path, status):
                del self._pending[path]
                pending.folder.versions[pending.name] = pending.version
                yield file_frame(self._prefix, path[len(self._prefix) :], self._source)

    def _scan_folders(self) -> Iterator[bool]:
        """One scan, which makes new files pending. Yields wherever it may be paused."""
        found: dict[str, _Folder] = {}
        waiting: list[tuple[str, tuple[object, ...]]] = [(self._root, ())]
        while waiting:
            path, parents = waiting.pop()
            folder = self._folders.get(path) or _Folder()
            try:
                status = os.stat(path)
            except OSError:
                if path == self._root:
                    return  # its disk may come back; until then everything known about it is kept
                continue
            identity = (status.st_dev, status.st_ino)
            if self._follow_links and identity in parents:
                continue
            found[path] = folder
            for name in folder.new_names(path, status.st_mtime_ns, self._follow_links):
                self._check_version(_path(path, name), folder, name)
                yield True
            waiting += [(os.path.join(path, name), (*parents, identity)) for name in folder.folders]
            yield True
        self._folders = found

    def _recheck(self) -> None:
        for folder_path, folder, name in islice(self._rechecks, _RECHECKS):
            if folder is None:
                break
            path = _path(folder_path, name)
            if path not in self._pending:
                self._check_version(path, folder, name)

    def _known_files(self) -> Iterator[tuple[str, "_Folder | None", str]]:
        """All known files in an endless loop. Between two rounds, the folder is None once."""
        while True:
            for path, folder in list(self._folders.items()):
                yield from ((path, folder, name) for name in list(folder.versions))
            yield "", None, ""

    def _check_version(self, path: str, folder: "_Folder", name: str) -> None:
        """Make a file pending unless this version of it was yielded before."""
        try:
            version = _version(_status(path))
        except OSError:
            folder.mtime_ns = _NOT_LISTED
            return
        if version != folder.versions.setdefault(name, None):
            self._pending[path] = _PendingFile(folder, name, version, time.monotonic())


@dataclass(slots=True)
class _Folder:
    """A folder as it was last listed.

    changed_at: when its modification time `mtime_ns` was first seen, in `time.monotonic`. versions: of its images; None
    until an image is yielded. The name is empty for the folder itself if it cannot be listed.
    """

    changed_at: float = 0.0
    mtime_ns: int = _NOT_LISTED
    versions: dict[str, int | None] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    skipped: int = 0

    def new_names(self, path: str, mtime_ns: int, follow_links: bool) -> list[str]:
        """List the folder if it has changed, and return the images that have no version yet."""
        now = time.monotonic()
        if mtime_ns != self.mtime_ns:
            self.mtime_ns, self.changed_at = mtime_ns, now
        if now - self.changed_at > _FRESH_S:
            return []
        listing = list_folder(path, follow_links)
        if listing is None:
            self.mtime_ns = _NOT_LISTED
            return [] if "" in self.versions else [""]
        names = [name for name in reversed(listing.names) if name not in listing.folders]
        images = [name for name in names if is_image(name)]
        self.skipped = len(names) - len(images)
        self.folders = sorted(listing.folders, reverse=True)
        self.versions = {name: self.versions[name] for name in images if name in self.versions}
        return [name for name in images if name not in self.versions]


@dataclass(slots=True)
class _PendingFile:
    """A file that may not be complete yet. since: when this version of it was first seen."""

    folder: _Folder
    name: str
    version: int
    since: float

    def is_complete(self, path: str, status: os.stat_result) -> bool:
        version, now = _version(status), time.monotonic()
        if version != self.version:
            self.version, self.since = version, now
        return now - self.since >= SETTLE_S and not (stat.S_ISREG(status.st_mode) and is_being_written(path))


def _path(folder: str, name: str) -> str:
    return os.path.join(folder, name) if name else folder


def _status(path: str) -> os.stat_result:
    """The status of a file. A dangling link has its own: it is an image that cannot be read, and gets a row for that."""
    try:
        return os.stat(path)
    except OSError:
        return os.lstat(path)


def _version(status: os.stat_result) -> int:
    return hash((status.st_size, status.st_mtime_ns))
