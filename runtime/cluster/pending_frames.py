"""The frames that have no row yet, in portions for the workers."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from edgeclf.runtime.cluster.job import Portion
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.results.index import Index
from edgeclf.runtime.results.row import known_or_none
from edgeclf.runtime.results.utf8 import as_utf8
from edgeclf.runtime.sources.source import Source

_FEWEST, _MOST = 128, 4096
"""Images in a portion. Small portions make many files; a large one is much to repeat if its machine is lost."""
_PORTION_BYTES = 8 << 20
_SHARE = 32
"""A portion is at most 1/32 of the images that each worker has had so far, so that no worker waits long for another at the
end."""


class PendingFrames:
    """The frames of a source that need a row, according to the index of existing rows.

    earlier_rows: rows of earlier runs, whatever their sources. So far: has_row: frames that already have one; replaced:
    frames given out whose earlier row the new one will replace.
    """

    def __init__(self, source: Source, index: Index) -> None:
        self.earlier_rows = index.done
        self.has_row = self.replaced = 0
        self.source = source
        self._index = index
        self._frames = self._pending()

    def has_any(self) -> bool:
        """Whether there are any. Raises SourceError, and NoImagesError if the source has no image at all."""
        first = next(self._frames, None)
        if first is None:
            return False
        self._frames = chain([first], self._frames)
        return True

    def portions(self, workers: int) -> Iterator[Portion]:
        """All frames, once, in portions that suit the number of workers. Raises SourceError or OptionError."""
        portion: list[Frame] = []
        number = given = 0
        held_bytes = 0  # of images that travel along, because their archive can only be read from the beginning
        for frame in self._frames:
            portion.append(frame)
            held_bytes += len(frame.image) if isinstance(frame.image, bytes) else 0
            wanted = min(max(_FEWEST, given // (_SHARE * workers)), _MOST)
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
                raise OptionError(f"{frame.name} is from a video, and --ray is for images; classify videos without --ray")
            rows_before = self._index.done
            frame = _as_in_rows(frame)
            if self._index.claim(frame):
                self.replaced += rows_before - self._index.done
                yield frame
            else:
                self.has_row += 1


def _as_in_rows(frame: Frame) -> Frame:
    """The frame with the name, size and time that its row has, so that the index finds it."""
    size_bytes, mtime_ns = (-1 if known_or_none(value) is None else value for value in (frame.size_bytes, frame.mtime_ns))
    return replace(frame, source=0, path=as_utf8(frame.name), size_bytes=size_bytes, mtime_ns=mtime_ns)
