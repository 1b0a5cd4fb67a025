"""What has arrived in a folder since it was looked at last.

It is polled: inotify sees nothing of what other machines write over a network.
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
"""A file is complete when its size and time stayed the same for so long, and nobody has it open for writing."""
SCAN_S = 1.0
"""How long to rest between two searches for new files."""

_SLICE_S = 0.1
_FRESH_S = 3.0
"""A folder that changed is listed again for so long: some disks count its time in steps of 2 s, which hides a change."""
_TO_BE_LISTED = -1
_MAX_PENDING = 4096
_RECHECKS = 2000
"""How many files that were handed on are looked at after each search, in turn, for newer versions of them."""


class Arrivals:
    """The images in a folder and below it, each when it is complete, and again when a newer one has taken its place.

    A folder is listed again only when its time says that something in it has changed. What is kept of a file is its name
    and one number; more is kept only of those that are not known to be complete yet.
    """

    def __init__(self, root: str, source: int, follow_links: bool = False) -> None:
        self._root = root
        self._prefix = os.path.join(root, "")
        self._source = source
        self._follow_links = follow_links
        self._folders: dict[str, _Folder] = {}
        self._pending: dict[str, _Pending] = {}
        self._search = self._look_through()
        self._known = self._turn()
        self._rest_until = 0.0

    @property
    def skipped(self) -> int:
        """Files that are no images, as far as folders have been listed."""
        return sum(folder.skipped for folder in self._folders.values())

    def poll(self) -> Iterator[Frame]:
        """What is complete by now. Searches for new files in short slices, and rests for SCAN_S after each search."""
        yield from self._complete()
        until = time.monotonic() + _SLICE_S
        while self._rest_until < time.monotonic() < until and len(self._pending) < _MAX_PENDING:
            if not next(self._search, False):
                self._recheck()
                self._search = self._look_through()
                self._rest_until = time.monotonic() + SCAN_S

    def _complete(self) -> Iterator[Frame]:
        for path, pending in list(self._pending.items()):
            try:
                status = _status(path)
            except (FileNotFoundError, NotADirectoryError):
                del self._pending[path]
                pending.folder.versions.pop(pending.name, None)
                continue
            except OSError:  # a network that stutters: ask again
                continue
            if pending.is_complete(path, status):
                del self._pending[path]
                pending.folder.versions[pending.name] = pending.version
                yield file_frame(self._prefix, path[len(self._prefix) :], self._source)

    def _look_through(self) -> Iterator[bool]:
        """One search: files that are new become pending. Yields wherever it may pause."""
        found: dict[str, _Folder] = {}
        waiting: list[tuple[str, tuple[object, ...]]] = [(self._root, ())]
        while waiting:
            path, above = waiting.pop()
            folder = self._folders.get(path) or _Folder()
            try:
                status = os.stat(path)
            except OSError:
                if path == self._root:
                    return  # perhaps its disk comes back: then what was known of it is known still
                continue
            identity = (status.st_dev, status.st_ino)
            if self._follow_links and identity in above:
                continue
            found[path] = folder
            for name in folder.new_names(path, status.st_mtime_ns, self._follow_links):
                self._await(_path(path, name), folder, name)
                yield True
            waiting += [(os.path.join(path, name), (*above, identity)) for name in folder.folders]
            yield True
        self._folders = found

    def _recheck(self) -> None:
        for folder_path, folder, name in islice(self._known, _RECHECKS):
            if folder is None:
                break
            path = _path(folder_path, name)
            if path not in self._pending:
                self._await(path, folder, name)

    def _turn(self) -> Iterator[tuple[str, "_Folder | None", str]]:
        """All files that are known, round and round; after each round once no folder."""
        while True:
            for path, folder in list(self._folders.items()):
                yield from ((path, folder, name) for name in list(folder.versions))
            yield "", None, ""

    def _await(self, path: str, folder: "_Folder", name: str) -> None:
        """Let a file be pending if it is not the version that was handed on."""
        try:
            version = _version(_status(path))
        except OSError:
            folder.mtime_ns = _TO_BE_LISTED
            return
        if version != folder.versions.setdefault(name, None):
            self._pending[path] = _Pending(folder, name, version, time.monotonic())


@dataclass(slots=True)
class _Folder:
    """A folder as it was last listed, at the monotonic time and with the modification time given.

    versions: of its images, None before one is handed on; the name is empty for a folder that cannot be listed itself.
    """

    changed_at: float = 0.0
    mtime_ns: int = _TO_BE_LISTED
    versions: dict[str, int | None] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    skipped: int = 0

    def new_names(self, path: str, mtime_ns: int, follow_links: bool) -> list[str]:
        """List the folder if it has changed: its images that have no version here."""
        now = time.monotonic()
        if mtime_ns != self.mtime_ns:
            self.mtime_ns, self.changed_at = mtime_ns, now
        if now - self.changed_at > _FRESH_S:
            return []
        listing = list_folder(path, follow_links)
        if listing is None:
            self.mtime_ns = _TO_BE_LISTED
            return [] if "" in self.versions else [""]
        names = [name for name in reversed(listing.names) if name not in listing.folders]
        images = [name for name in names if is_image(name)]
        self.skipped = len(names) - len(images)
        self.folders = sorted(listing.folders, reverse=True)
        self.versions = {name: self.versions[name] for name in images if name in self.versions}
        return [name for name in images if name not in self.versions]


@dataclass(slots=True)
class _Pending:
    """A file that is not known to be complete yet. since: when it was first seen in this version."""

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
    """Of a link that leads nowhere its own: it is an image that cannot be read, and its row says so."""
    try:
        return os.stat(path)
    except OSError:
        return os.lstat(path)


def _version(status: os.stat_result) -> int:
    return hash((status.st_size, status.st_mtime_ns))
