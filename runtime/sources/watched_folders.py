"""Folders that images keep arriving in, as a source without an end."""

import os
import time
from collections.abc import Iterator

from edgeclf.runtime.errors import OptionError, SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import list_folder
from edgeclf.runtime.sources.new_files import Arrivals

POLL_S = 0.2


class WatchedFolders:
    """A Source; every walk over it starts anew, with all that is in the folders then. See Arrivals for what a frame is."""

    def __init__(self, names: tuple[str, ...], follow_links: bool = False) -> None:
        self.names = names
        self.prefixes = tuple(os.path.join(name, "") for name in names)
        self._follow_links = follow_links
        self._arrivals: list[Arrivals] = []
        for name in names:
            if not os.path.isdir(name):
                raise OptionError(f"--watch takes folders, and {name!r} is none; name the folder that images arrive in")
            if list_folder(name) is None:
                raise SourceError(f"{name!r} cannot be listed; check its rights with ls -ld")

    @property
    def skipped(self) -> int:
        return sum(arrivals.skipped for arrivals in self._arrivals)

    def __iter__(self) -> Iterator[Frame | None]:
        self._arrivals = [Arrivals(name, number, self._follow_links) for number, name in enumerate(self.names)]
        while True:
            due = time.monotonic() + POLL_S
            for arrivals in self._arrivals:
                yield from arrivals.poll()
            yield None
            time.sleep(max(0.0, due - time.monotonic()))

    def count(self) -> int:
        return 0

    def roots(self) -> tuple[str, ...]:
        return self.names

    def folders(self) -> tuple[str, ...]:
        return self.names
