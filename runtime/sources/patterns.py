"""Quoted patterns such as `'night/**/*.jpg'`, which the shell could not expand: its command line would be too long."""

import glob
import os
import re
from collections.abc import Iterator

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import NO_IMAGES, list_folder, walk
from edgeclf.runtime.sources.source_part import file_frame

_STARS = re.compile(r"(?:^|(?<=/))\*\*(?:/+|$)")


class PatternPart:
    """What a pattern matches, sorted: files as if each were named, folders to be searched. With `**` it gives files only."""

    def __init__(self, pattern: str, follow_links: bool = False, may_be_empty: bool = False) -> None:
        self.prefix = ""
        self.roots: tuple[str, ...] = (_fixed_folder(pattern),)
        self.skipped = 0
        self.empty = f"{pattern!r} matches folders that hold no images {NO_IMAGES}"
        self._follow_links = follow_links
        self._matches = sorted(set(_expand(pattern, "", follow_links)))
        if _STARS.search(pattern):  # the files in a folder are matches already
            self._matches = [match for match in self._matches if not (os.path.isdir(match) and list_folder(match))]
        searched = [_fixed_folder(pattern)] if _STARS.search(pattern) else self._matches
        self.folders = tuple(path for path in searched if os.path.isdir(path))
        if not self._matches and not may_be_empty:
            raise SourceError(f"the pattern {pattern!r} matches no file; quote it, and try it with ls")

    def frames(self, source: int) -> Iterator[Frame]:
        for path, is_frame in self._files():
            if is_frame:
                yield file_frame("", path, source)
            else:
                self.skipped += 1

    def count(self) -> int:
        return sum(is_frame for _, is_frame in self._files())

    def _files(self) -> Iterator[tuple[str, bool]]:
        for match in self._matches:
            yield from walk(match, self._follow_links) if os.path.isdir(match) else [(match, True)]


def _expand(pattern: str, root: str, follow_links: bool) -> Iterator[str]:
    """As `glob.iglob(pattern, recursive=True)` below `root`; but that follows links, through a loop up to forty deep.

    With `**`, a folder that cannot be listed is a match: the row that it becomes says why.
    """
    stars = _STARS.search(pattern)
    if stars is None:
        yield from (os.path.join(root, match) for match in glob.iglob(pattern, root_dir=root or None))
        return
    before, after = pattern[: stars.start()], pattern[stars.end() :] or "*"
    for top in glob.iglob(before, root_dir=root or None) if before else [""]:
        for folder, is_listed in _folders(os.path.join(root, top), follow_links):
            yield from _expand(after, folder, follow_links) if is_listed else [folder]


def _folders(top: str, follow_links: bool) -> Iterator[tuple[str, bool]]:
    """A folder and those below it, neither hidden nor, without `follow_links`, linked; and whether each can be listed."""
    waiting: list[tuple[str, tuple[object, ...]]] = [(top, ())] if os.path.isdir(top or ".") else []
    while waiting:
        path, above = waiting.pop()
        listing = list_folder(path or ".", follow_links)
        if listing is None:
            yield path, False
        elif not follow_links or listing.identity not in above:
            yield path, True
            inside = (*above, listing.identity) if follow_links else ()
            waiting += [(os.path.join(path, name), inside) for name in sorted(listing.folders)]


def _fixed_folder(pattern: str) -> str:
    """The part of a pattern that is no pattern yet."""
    folder = pattern
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or "."
