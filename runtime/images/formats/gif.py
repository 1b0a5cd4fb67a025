"""GIF by its blocks: its size, whether its end is there, and how often its compression starts anew."""

import struct
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"GIF87a", b"GIF89a")
_IMAGE, _EXTENSION = 0x2C, 0x21
_MAX_PARTS = 1 << 20  # of 255 bytes at most: a file of 267 MB
_CANVAS = 10
"""Pixels' worth of one pixel of the canvas: OpenCV keeps it several times, and 35 bytes are enough to ask for any."""
_CLEAR = 10_000
"""Pixels' worth of one clear code: OpenCV frees and builds 4,097 vectors. A file of 1 MB has room for 2.4 million."""
_LONGEST = 12  # bits of a code, once the table has 2,048 entries
_TABLE = 2_048


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas. Raises struct.error where the file is cut."""
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def is_cut(data: bytes) -> bool:
    """Never: raises IndexError where the file ends before its blocks do, ImageError `too_large`."""
    for _ in _blocks(data):
        pass
    return False  # at the end, or at a block that nobody knows


def bits(data: bytes) -> int:
    """Of no account: `work` counts every pixel many times."""
    return 0


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual image; only the first image is decoded. Raises as `is_cut` does."""
    for position, parts in _blocks(data):
        if data[position] == _IMAGE:
            packed = b"".join(data[at + 1 : at + 1 + data[at]] for at in parts)
            return pixels * _CANVAS + _CLEAR * count_clears(packed, data[parts[0] - 1], enough // _CLEAR + 1)
    return pixels * _CANVAS


def count_clears(packed: bytes, code_size: int, at_most: int) -> int:
    """How often LZW data start a new table, which they do at every clear code and every end code.

    The length of a code follows from its distance to the last start, so the next one is found without unpacking.
    """
    if not 1 < code_size < _LONGEST:  # OpenCV refuses it
        return 0
    clear = 1 << code_size
    masks, starts = _codes(code_size)
    padded = packed + bytes(2 * _TABLE)
    words = np.ndarray(len(padded) - 3, "<u4", padded, strides=(1,))  # the four bytes from each byte on
    found = since = position = 0
    while position < 8 * len(packed) and found < at_most:
        span = slice(since, since + (32 if since == 0 else _TABLE))  # short at first: a bomb is full of starts
        places = starts[span] + (position - starts[since])
        codes = words[places >> 3] >> (places & 7) & masks[span]
        hits = np.flatnonzero((codes | 1) == clear + 1)
        if len(hits):
            last = since + int(hits[0])
            found += 1
        else:
            last = since + len(codes) - 1
        position += int(starts[last + 1] - starts[since])
        since = 0 if len(hits) else min(last + 1, _TABLE)
    return found


@cache
def _codes(code_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """By the number of codes since the table was started: the mask of the next one, and how many bits before it starts."""
    entries = ((1 << code_size) + 1 + number for number in range(2 * _TABLE))
    lengths = np.array([max(code_size + 1, min(_LONGEST, count.bit_length())) for count in entries])
    return (1 << lengths) - 1, np.concatenate([[0], np.cumsum(lengths)])


def _blocks(data: bytes) -> Iterator[tuple[int, list[int]]]:
    """Where each image or extension starts, and where each of its parts starts, with its length; the last one is empty."""
    left = _MAX_PARTS
    position = 13 + _table_bytes(data[10])
    while data[position] in (_IMAGE, _EXTENSION):
        extension = data[position] == _EXTENSION
        first = position + 2 if extension else position + 11 + _table_bytes(data[position + 9])
        parts = _parts(data, first, left)
        left -= len(parts)
        yield position, parts
        position = parts[-1] + 1


def _table_bytes(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _parts(data: bytes, position: int, at_most: int) -> list[int]:
    starts = [position]
    while len(starts) <= at_most:
        length = data[position]
        if not length:
            return starts
        position += 1 + length
        starts.append(position)
    raise ImageError(Reason.TOO_LARGE, f"GIF of more than {_MAX_PARTS:,} parts")
