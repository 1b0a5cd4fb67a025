"""JPEG by its segments: its size, whether its end is there, and how many scans it asks for."""

import struct
from collections.abc import Iterator

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"\xff\xd8\xff",)
_MAX_SEGMENTS = 10_000
_BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # followed by no length
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # starts of frame; the others are tables
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_SCAN, _END = 0xDA, 0xD9
_USUAL_SCANS = 20
"""Encoders write 10 for colour by default, and up to a dozen when they look for the smallest file."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises IndexError or struct.error where the file is cut, ImageError `corrupt`."""
    height, width = struct.unpack_from(">HH", data, _frame(data) + 5)
    return width, height


def is_cut(data: bytes) -> bool:
    """Whether no end marker follows the frame header; one before it is that of a thumbnail.

    Within pixels the two bytes cannot occur. Whatever cameras add behind the end may be of any length.
    """
    return data.rfind(bytes((0xFF, _END)), _frame(data)) < 0


def bits(data: bytes) -> int:
    """Of no account: it is decoded at a fraction of its size."""
    return 0


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual image: each scan is a walk through all blocks, and an empty one takes ten bytes."""
    if not _has_many_scans(data):
        return pixels
    return max(pixels, pixels * data.count(bytes((0xFF, _SCAN)), _frame(data)) // _USUAL_SCANS)


def _frame(data: bytes) -> int:
    """Where the start of frame is."""
    for marker, position in _segments(data):
        if marker in _FRAMES:
            return position
        if marker in (_SCAN, _END):
            break
    raise ImageError(Reason.CORRUPT, "JPEG without a frame header")


def _has_many_scans(data: bytes) -> bool:
    components = 0
    for marker, position in _segments(data):
        if marker in _FRAMES:
            if marker not in _SEQUENTIAL:
                return True
            components = data[position + 9]
        if marker == _SCAN:
            return data[position + 4] < components
    return False


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and position of each segment, those without a length left out; at most 10,000 of them."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        position = data.find(b"\xff", position)  # stray bytes between segments are passed over, as libjpeg does
        if position < 0:
            raise IndexError
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _BARE_MARKERS:
            position += 2
        else:
            yield marker, position
            position += 2 + max(2, int(struct.unpack_from(">H", data, position + 2)[0]))
