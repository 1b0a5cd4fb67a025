"""Numbered images, named as for printf: `'frames/f_%03d.png'`, the usual way to store the frames of a video."""

import os
import re
from collections.abc import Iterator

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.sources.folders import list_folder
from edgeclf.runtime.sources.sampling import EVERY_FRAME, Sampling
from edgeclf.runtime.sources.source_part import file_frame

_DIRECTIVE = re.compile(r"%%|%(?:0([1-9]\d?))?d|%", re.ASCII)


def is_sequence(name: str) -> bool:
    """Whether the file name contains exactly one %d or %0Nd, and every other % is doubled."""
    directives = [match[0] for match in _DIRECTIVE.finditer(os.path.basename(name))]
    return "%" not in directives and len(directives) - directives.count("%%") == 1


class NumberedImages:
    """The files whose names match the pattern, ordered by number. Numbers may be missing."""

    folders: tuple[str, ...] = ()

    def __init__(self, name: str, sampling: Sampling = EVERY_FRAME, may_be_empty: bool = False) -> None:
        folder, pattern = os.path.split(name)
        self.prefix = os.path.join(folder, "")
        self.roots: tuple[str, ...] = (folder or ".",)
        self.skipped = 0
        self.empty_message = f"no file name matches {name!r} with a number for %d; check the number of digits with ls"
        self._files = _numbered(folder or ".", pattern)[:: sampling.stride]
        if not self._files and not may_be_empty:
            raise SourceError(self.empty_message)

    def frames(self, source: int) -> Iterator[Frame]:
        return (file_frame(self.prefix, name, source) for name in self._files)

    def count(self) -> int:
        return len(self._files)


def _numbered(folder: str, pattern: str) -> list[str]:
    numbers = re.compile(_expression(pattern), re.ASCII)
    listing = list_folder(folder)
    names = [name for name in listing.names if name not in listing.folders] if listing else []
    matches = [match for match in map(numbers.fullmatch, names) if match]
    return [match[0] for match in sorted(matches, key=lambda match: int(match[1]))]


def _expression(pattern: str) -> str:
    """A regular expression for the numbers that printf writes: padded with zeros to the width, longer ones without zeros."""
    expression, done = "", 0
    for directive in _DIRECTIVE.finditer(pattern):
        width = directive[1] or "1"
        number = "%" if directive[0] == "%%" else rf"(\d{{{width}}}|[1-9]\d{{{width},}})"
        expression += re.escape(pattern[done : directive.start()]) + number
        done = directive.end()
    return expression + re.escape(pattern[done:])
