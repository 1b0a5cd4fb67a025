"""Where the images of answers are now: at their paths, sorted into folders, in archives, or below another folder."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePath

from edgeclf.runtime.errors import SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.review.answers import Answer
from edgeclf.runtime.sources.archives import ArchiveImages, is_archive
from edgeclf.runtime.sources.source_part import file_frame
from edgeclf.runtime.terminal.escaping import escape

SAMPLE = 200
"""Answers whose images are looked for beforehand."""
_OPEN_ARCHIVES = 8


class ImagePlaces:
    """Finds the image of an answer. Safe to use from several threads.

    root: where the images have moved; None if they have not. sample: some answers. Raises SourceError if no image of the
    sample is found.
    """

    def __init__(self, sample: Sequence[Answer], root: Path | None = None) -> None:
        self._root = root
        self._dropped = 0
        if root:
            self._dropped = _folders_to_drop(sample, root)
        found = sum(self.find(answer) is not None for answer in sample)
        if sample and not found:
            raise SourceError(self._not_found(sample[0]))

    def find(self, answer: Answer) -> Frame | None:
        """The image, with the size and the time of its file; None if it is not there."""
        for path in filter(None, (self._moved(answer.path), answer.sorted_to)):
            frame = file_frame("", path, 0)
            if frame.size_bytes >= 0:
                return frame
            if member := _member(path):
                return member
        return None

    def _moved(self, path: str) -> str:
        return os.path.join(self._root, *_parts(path)[self._dropped :]) if self._root else path

    def _not_found(self, answer: Answer) -> str:
        if self._root:
            return f"{escape(answer.path)} is not below {self._root}; name the folder that the images are in now with --root"
        return (
            f"{escape(answer.path)} is not there, nor is any other image that was looked for; run the command in the folder "
            "of the run, or name the one that the images are in now with --root"
        )


def _folders_to_drop(sample: Iterable[Answer], root: Path) -> int:
    """How many of the first folders of every path are not below `root`: what finds the most images, and the fewest."""
    found: Counter[int] = Counter()
    for answer in sample:
        parts = _parts(answer.path)
        for dropped in range(len(parts)):
            if os.path.lexists(os.path.join(root, *parts[dropped:])):
                found[dropped] += 1
    return max(found, key=lambda dropped: (found[dropped], -dropped), default=0)


def _parts(path: str) -> tuple[str, ...]:
    """Without the root, and without `..`."""
    pure = PurePath(path)
    return tuple(part for part in pure.parts if part not in (pure.anchor, ".."))


def _member(path: str) -> Frame | None:
    """The image in an archive, such as `day.zip/a.jpg`; None without one."""
    for folder in map(os.fspath, PurePath(path).parents):
        if is_archive(folder) and os.path.isfile(folder):
            return _members(folder).get(path)
    return None


@lru_cache(_OPEN_ARCHIVES)
def _members(archive: str) -> Mapping[str, Frame]:
    """The images in an archive by their names; none if it is damaged."""
    try:
        return {frame.name: frame for frame in ArchiveImages(archive).frames(0)}
    except SourceError:
        return {}
