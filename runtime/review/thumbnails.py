"""Small copies of many images in sheets, as JPEG: made by the decoder and the threads of the pipeline, and kept if nothing
has changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np

from edgeclf.runtime.cores import usable_cores
from edgeclf.runtime.errors import ImageError
from edgeclf.runtime.images.decode import Checks, Pixels
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.pipeline import ordered_map
from edgeclf.runtime.storage.atomic_write import publish_bytes

SIDE, ACROSS = 96, 10
"""Pixels of a thumbnail, and thumbnails in a row of a sheet."""
ON_A_SHEET = ACROSS * ACROSS
STAGE = (16, 20, 19)
"""The colour around an image that is not square, in RGB, and of one that cannot be read."""
_QUALITY = 80
_VERSION = 1
"""Of everything that decides how a sheet looks."""
_MAKE = Preprocess((SIDE, SIDE), fit="pad", pad_color=STAGE)


@dataclass(frozen=True)
class Sheet:
    """number: of the sheet, from 0. frames: at most ON_A_SHEET images; None for one that is not there."""

    number: int
    frames: Sequence[Frame | None]

    @cached_property
    def name(self) -> str:
        """The name of its file: another one as soon as any of the images is another one, or has changed."""
        digest = blake2b(f"{_VERSION} {self.number}".encode(), digest_size=10)
        for frame in self.frames:
            known = (frame.name, frame.size_bytes, frame.mtime_ns) if frame else ()
            digest.update(repr(known).encode("ascii", "backslashreplace"))
        return f"sheet-{digest.hexdigest()}.jpg"

    def make(self, checks: Checks = Checks()) -> bytes:  # noqa: B008 (frozen)
        """The sheet as a JPEG. It has only as many rows as it needs."""
        rows = -(-len(self.frames) // ACROSS)
        pixels = np.full((rows, SIDE, ACROSS, SIDE, 3), STAGE, np.uint8)
        for number, frame in enumerate(self.frames):
            row, column = divmod(number, ACROSS)
            if (one := _thumbnail(frame, checks)) is not None:
                pixels[row, :, column] = one
        return encode_image(pixels.reshape(rows * SIDE, ACROSS * SIDE, 3), ".jpg", quality=_QUALITY)


def make_sheets(sheets: Iterator[Sheet], folder: Path, *, workers: int | None = None) -> Iterator[tuple[Sheet, bool]]:
    """Write the sheets that are not in the folder yet, on all cores. Yields each in order, and whether it is new.

    After a kill, the same call goes on where it was. Raises OutputError.
    """

    def write(sheet: Sheet) -> tuple[Sheet, bool]:
        path = folder / sheet.name
        if path.exists():
            return sheet, False
        publish_bytes(path, sheet.make())
        return sheet, True

    yield from ordered_map(write, sheets, workers or usable_cores())


def thumbnail(frame: Frame | None) -> bytes:
    """One as a JPEG; just the stage if the image is not there or cannot be read."""
    pixels = _thumbnail(frame, Checks())
    return encode_image(np.full((SIDE, SIDE, 3), STAGE, np.uint8) if pixels is None else pixels, ".jpg", quality=_QUALITY)


def _thumbnail(frame: Frame | None, checks: Checks) -> Pixels | None:
    try:
        return _MAKE.prepare(frame.image, checks).pixels if frame else None
    except ImageError:
        return None
