"""Quoted patterns such as `'night/**/*.jpg'`. Expanded by the shell, they might exceed its limit for a command line."""

import glob
import os
import re
from collections.abc import Iterator

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import NO_IMAGES, SYSTEM_FOLDERS, list_folder, walk
from edgeclf.runtime.sources.source_part import file_frame
from edgeclf.runtime.spelling import near

_DOUBLE_STAR = re.compile(r"(?:^|(?<=/))\*\*(?:/+|$)")


class PatternImages:
    """Everything that a pattern matches, sorted: files are taken as they are, folders are searched.

    A pattern with `**` matches files only.
    """

    def __init__(self, pattern: str, follow_links: bool = False, may_be_empty: bool = False) -> None:
        self.prefix = ""
        self.roots: tuple[str, ...] = (_fixed_folder(pattern),)
        self.skipped = 0
        self.empty_message = f"{pattern!r} matches folders that hold no images {NO_IMAGES}"
        self._follow_links = follow_links
        self._matches = sorted(set(_expand(pattern, "", follow_links)))
        if _DOUBLE_STAR.search(pattern):  # the files in a matching folder are matches themselves
            self._matches = [match for match in self._matches if not (os.path.isdir(match) and list_folder(match))]
        searched = [_fixed_folder(pattern)] if _DOUBLE_STAR.search(pattern) else self._matches
        self.folders = tuple(path for path in searched if os.path.isdir(path))
        if not self._matches and not may_be_empty:
            raise SourceError(f"the pattern {pattern!r} matches no file; {_cure(pattern)}")

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
    """Like `glob.iglob(pattern, recursive=True)` below `root`, which would follow links, through a loop up to 40 times.

    With `**`, a folder that cannot be listed is a match as well: its row gives the reason.
    """
    stars = _DOUBLE_STAR.search(pattern)
    if stars is None:
        yield from (os.path.join(root, match) for match in _matches(pattern, root))
        return
    before, after = pattern[: stars.start()], pattern[stars.end() :] or "*"
    for top in _matches(before, root) if before else [""]:
        for folder, is_listed in _folders(os.path.join(root, top), follow_links):
            yield from _expand(after, folder, follow_links) if is_listed else [folder]


def _matches(pattern: str, root: str) -> Iterator[str]:
    """What a pattern without `**` matches. Wildcards match no system folders, as they match no hidden ones."""
    wildcards = [glob.has_magic(part) for part in pattern.split(os.sep)]
    for match in glob.iglob(pattern, root_dir=root or None):
        names = match.split(os.sep)
        if not any(is_wild and name.lower() in SYSTEM_FOLDERS for is_wild, name in zip(wildcards, names, strict=False)):
            yield match


def _folders(top: str, follow_links: bool) -> Iterator[tuple[str, bool]]:
    """`top` and all folders below it, with whether each can be listed.

    Hidden folders and systems' own are left out, and so are linked ones without `follow_links`.
    """
    waiting: list[tuple[str, tuple[object, ...]]] = [(top, ())] if os.path.isdir(top or ".") else []
    while waiting:
        path, parents = waiting.pop()
        listing = list_folder(path or ".", follow_links)
        if listing is None:
            yield path, False
        elif not follow_links or listing.identity not in parents:
            yield path, True
            inside = (*parents, listing.identity) if follow_links else ()
            waiting += [(os.path.join(path, name), inside) for name in sorted(listing.folders)]


def _cure(pattern: str) -> str:
    """What to do about a pattern that matches nothing: it depends on what is there."""
    folder, name = os.path.split(pattern)
    if not os.path.isdir(fixed := _fixed_folder(pattern)):
        return f"there is no folder {fixed!r}; {near(fixed) or 'check its spelling'}"
    if not glob.has_magic(folder) and any(_expand(os.path.join(folder, "*", name), "", False)):
        return f"its sub-folders have such files: {os.path.join(folder, '**', name)!r}"
    return f"{fixed!r} holds no such file; name the folder for all of its images"


def _fixed_folder(pattern: str) -> str:
    """The folder in front of the first wildcard."""
    folder = pattern
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or "."
