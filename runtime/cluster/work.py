"""What is still to be done: the frames without a row, in portions for the workers."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from edgeclf.runtime.cluster.job import Portion
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.results.row import known
from edgeclf.runtime.results.utf8 import as_utf8
from edgeclf.runtime.sources.source import Source

_SMALLEST, _LARGEST = 128, 4096
"""Images in a portion. Small parts are many files, large ones are much to do again when a machine is lost."""
_PORTION_BYTES = 8 << 20
_SHARE = 32
"""A portion is at most this part of what each worker has had so far, so that in the end none waits long for another."""


class Work:
    """Frames of a source that the index of the rows so far does not settle.

    done: rows of earlier runs, whatever their sources. So far, settled: frames that have a row already; again: frames given
    that have one, too, which theirs is to replace.
    """

    def __init__(self, source: Source, index: Index) -> None:
        self.done = index.done
        self.settled = self.again = 0
        self.source = source
        self._index = index
        self._frames = self._pending()

    def is_there(self) -> bool:
        """Whether there is any. Raises SourceError, and NoImagesError where the source has no image at all."""
        first = next(self._frames, None)
        if first is None:
            return False
        self._frames = chain([first], self._frames)
        return True

    def portions(self, workers: int) -> Iterator[Portion]:
        """All of it, for so many workers. Once. Raises SourceError or OptionError."""
        portion: list[Frame] = []
        number = given = 0
        held_bytes = 0  # of images that travel along, from archives that are packed as a whole
        for frame in self._frames:
            portion.append(frame)
            held_bytes += len(frame.image) if isinstance(frame.image, bytes) else 0
            wanted = min(max(_SMALLEST, given // (_SHARE * workers)), _LARGEST)
            if len(portion) >= wanted or held_bytes > _PORTION_BYTES:
                yield Portion(number, tuple(portion))
                number, given = number + 1, given + len(portion)
                portion, held_bytes = [], 0
        if portion:
            yield Portion(number, tuple(portion))

    def _pending(self) -> Iterator[Frame]:
        for frame in self.source:
            if frame is None:
                continue
            if isinstance(frame.image, np.ndarray):
                raise OptionError(f"{frame.name} is from a video; --ray is for images, so classify videos without it")
            before = self._index.done
            frame = _as_in_rows(frame)
            if self._index.claim(frame):
                self.again += before - self._index.done
                yield frame
            else:
                self.settled += 1


def _as_in_rows(frame: Frame) -> Frame:
    """The frame, to be looked up by what its row says of it."""
    size_bytes, mtime_ns = (-1 if known(value) is None else value for value in (frame.size_bytes, frame.mtime_ns))
    return replace(frame, source=0, path=as_utf8(frame.name), size_bytes=size_bytes, mtime_ns=mtime_ns)
