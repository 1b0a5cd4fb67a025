"""Images that hide in the dark: 12-bit values in 16-bit files keep 16 of 256 levels when they become 8-bit."""

from collections.abc import Sequence

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.formats import tiff
from edgeclf.runtime.images.formats.header import Header
from edgeclf.runtime.images.formats.png import without_animation
from edgeclf.runtime.terminal.plural import plural

_BATCH = 256
_RANGES = (8, 10, 12, 14)
"""Bits that sensors give."""


def brightest(data: bytes, header: Header) -> int | None:
    """The largest value in a file of 16 bits, 0 to 65,535. None if the file states its range, or does not decode."""
    if header.format == "TIFF" and tiff.deep_bits(data):
        return None
    file = without_animation(data) if header.format == "PNG" else data
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    return None if pixels is None else int(pixels.max())


def too_dark(values: Sequence[int]) -> str:
    """What is wrong if most of these images, by their brightest values, use few levels; otherwise empty."""
    dark = [value for value in values if value < 1 << _RANGES[-1]]
    if 2 * len(dark) <= len(values):
        return ""
    bits = next(bits for bits in _RANGES if max(dark) < 1 << bits)
    verb = "uses" if len(dark) == 1 else "use"
    files = f"a 16-bit file for {bits}-bit values" if len(dark) == 1 else f"16-bit files for {bits}-bit values"
    levels = f"{plural(len(dark), 'image')} {verb} {1 << bits - 8} of 256 levels, from {files}"
    return f"{levels}; multiply the values by {1 << 16 - bits} when the files are written, or write 8 bits"


def brightest_of_all(images: Pixels) -> int | None:
    """The highest level of images that use a quarter of the levels at most; None for brighter ones, usually at once."""
    highest = 0
    for start in range(0, len(images), _BATCH):
        highest = max(highest, int(images[start : start + _BATCH].max()))
        if highest >= 1 << _RANGES[-1] - 8:
            return None
    return highest
