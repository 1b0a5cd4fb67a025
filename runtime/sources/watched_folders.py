"""Folders in which new images keep appearing, as a source that never ends."""

import os
import time
from collections.abc import Iterator

from edgeclf.runtime.errors import OptionError, SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import list_folder
from edgeclf.runtime.sources.new_files import NewFiles

POLL_S = 0.2


class WatchedFolders:
    """A Source. Each iteration starts over with all images in the folders. NewFiles says when an image becomes a frame."""

    def __init__(self, names: tuple[str, ...], follow_links: bool = False) -> None:
        self.names = names
        self.prefixes = tuple(os.path.join(name, "") for name in names)
        self._follow_links = follow_links
        self._new_files: list[NewFiles] = []
        for name in names:
            if not os.path.isdir(name):
                raise OptionError(f"--watch takes folders, and {name!r} is not one; name the folder in which images appear")
            if list_folder(name) is None:
                raise SourceError(f"{name!r} cannot be listed; check its permissions with ls -ld")

    @property
    def skipped(self) -> int:
        return sum(new_files.skipped for new_files in self._new_files)

    def __iter__(self) -> Iterator[Frame | None]:
        self._new_files = [NewFiles(name, number, self._follow_links) for number, name in enumerate(self.names)]
        while True:
            due = time.monotonic() + POLL_S
            for new_files in self._new_files:
                yield from new_files.poll()
            yield None
            time.sleep(max(0.0, due - time.monotonic()))

    def count(self) -> int:
        return 0

    def roots(self) -> tuple[str, ...]:
        return self.names

    def folders(self) -> tuple[str, ...]:
        return self.names
