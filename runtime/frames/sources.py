"""Where pictures come from: folders, patterns, files, lists and archives, as one stream of named frames."""

import glob
import os
from collections.abc import Iterator
from typing import Protocol

from edgeclf.runtime.errors import NoPicturesError, OptionError, SourceError
from edgeclf.runtime.frames.archives import ArchivePart, is_archive
from edgeclf.runtime.frames.folders import FolderPart
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.lists import PathsPart, StdinPart, is_column, open_column, open_list
from edgeclf.runtime.frames.part import Part
from edgeclf.runtime.frames.patterns import PatternPart
from edgeclf.runtime.frames.watching import WatchedFolders

STDIN = "-"


class Source(Protocol):
    """Frames in a fixed order; None where there is nothing more for now, at least every 0.2 s while that is so.

    names: as they were given. prefixes: one for each name, such that `frame.name == prefixes[frame.source] + frame.path`.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def prefixes(self) -> tuple[str, ...]: ...

    @property
    def skipped(self) -> int:
        """Files passed over so far because they are no pictures."""
        ...

    def __iter__(self) -> Iterator[Frame | None]: ...

    def count(self) -> int:
        """How many frames there will be; 0 where nobody can know. Lists folders, reads no picture; for any thread."""
        ...

    def roots(self) -> tuple[str, ...]:
        """Folders and archives that must be reachable for the run to go on; where one is not, its storage has gone."""
        ...

    def folders(self) -> tuple[str, ...]:
        """Those that are searched in depth."""
        ...


def open_source(
    *names: str, follow_links: bool = False, watch: bool = False, nul: bool = False, resumed: bool = False
) -> Source:
    """One source of all that is named, in that order; what exists under a name goes before every other reading of it.

    A name is a folder, a file, an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz`), a pattern such as
    `'a/**/*.jpg'`, `@list.txt` with a path a line, `list.csv:column`, or `-`: paths from stdin, with `nul` one before each
    NUL character. follow_links: enter linked folders. watch: folders only; go on for ever with pictures as they are
    completed. resumed: a file or a pattern that is not there any more is no error, for an earlier run may have
    moved all of it. Raises SourceError or OptionError.
    """
    if not names:
        raise OptionError("no source is named; give a folder, a picture, or a quoted pattern like 'a/*.jpg'")
    if nul and STDIN not in names:
        raise OptionError("-0 says how paths on stdin are parted, but no source is -; add it, or leave -0 out")
    if names.count(STDIN) > 1:
        raise OptionError("stdin can be read only once; name - once")
    if watch:
        return WatchedFolders(names, follow_links)
    return _Parts(names, [_open_part(name, follow_links, nul, resumed) for name in names])


class _Parts:
    """Several names, one after the other."""

    def __init__(self, names: tuple[str, ...], parts: list[Part]) -> None:
        self.names = names
        self.prefixes = tuple(part.prefix for part in parts)
        self._parts = parts

    @property
    def skipped(self) -> int:
        return sum(part.skipped for part in self._parts)

    def __iter__(self) -> Iterator[Frame | None]:
        for part in self._parts:
            part.skipped = 0
        found = False
        for number, part in enumerate(self._parts):
            for frame in part.frames(number):
                found = found or frame is not None
                yield frame
        if not found:
            raise NoPicturesError("; ".join(part.empty for part in self._parts))

    def count(self) -> int:
        counts = [part.count() for part in self._parts]
        return 0 if None in counts else sum(filter(None, counts))

    def roots(self) -> tuple[str, ...]:
        return tuple(root for part in self._parts for root in part.roots)

    def folders(self) -> tuple[str, ...]:
        return tuple(folder for part in self._parts for folder in part.folders)


def _open_part(name: str, follow_links: bool, nul: bool, resumed: bool) -> Part:
    if os.path.isdir(name):
        return FolderPart(name, follow_links)
    if os.path.lexists(name):
        return ArchivePart(name) if is_archive(name) else PathsPart(name, lambda: iter((name,)))
    if name == STDIN:
        return StdinPart(nul)
    if name.startswith("@"):
        return open_list(name)
    if is_column(name):
        return open_column(name)
    if glob.has_magic(name):
        return PatternPart(name, follow_links, may_be_empty=resumed)
    if resumed:
        return PathsPart(name, lambda: iter((name,)))
    raise SourceError(f"{name!r} does not exist; --source takes a folder, a picture, or a quoted pattern like 'a/*.jpg'")
