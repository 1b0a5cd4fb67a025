"""GIF: size, completeness, transparency, and how often its compression restarts."""

import struct
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"GIF87a", b"GIF89a")
_IMAGE, _EXTENSION, _GRAPHIC_CONTROL = 0x2C, 0x21, 0xF9
_TRANSPARENT = 0x01
_MAX_SUB_BLOCKS = 1 << 20  # of at most 255 bytes each: a file of 267 MB
_CANVAS_COST = 10
"""Cost of one canvas pixel: OpenCV keeps the canvas several times, and a file of 35 bytes can ask for any canvas."""
_CLEAR_COST = 10_000
"""Cost of one clear code in pixels: OpenCV frees and builds 4,097 vectors. A file of 1 MB has room for 2.4 million."""
_MAX_CODE_BITS = 12  # once the table has 2,048 entries
_TABLE = 2_048


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas. Raises struct.error when the file is truncated."""
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def is_truncated(data: bytes) -> bool:
    """False when all blocks are there. Raises IndexError when the file ends within a block, ImageError `too_large`."""
    for _ in _blocks(data):
        pass
    return False  # the blocks ended at the trailer or at an unknown block


def bits_per_pixel(data: bytes) -> int:
    """Not used: `decode_cost` counts every pixel several times."""
    return 0


def decode_cost(data: bytes, pixels: int, limit: int) -> int:
    """In pixels of an ordinary image. Only the first frame is decoded. Raises the same errors as `is_truncated`."""
    for position, sub_blocks in _blocks(data):
        if data[position] == _IMAGE:
            lzw = b"".join(data[at + 1 : at + 1 + data[at]] for at in sub_blocks)
            clears = count_clears(lzw, data[sub_blocks[0] - 1], limit // _CLEAR_COST + 1)
            return pixels * _CANVAS_COST + _CLEAR_COST * clears
    return pixels * _CANVAS_COST


def has_alpha(data: bytes) -> bool:
    """Whether the first frame has a transparent colour. Raises the same errors as `is_truncated`."""
    flags = 0
    for position, sub_blocks in _blocks(data):
        if data[position] == _IMAGE:
            break
        if data[position + 1] == _GRAPHIC_CONTROL:
            flags = data[sub_blocks[0] + 1]
    return bool(flags & _TRANSPARENT)


def exif(data: bytes) -> bytes:
    """Always empty."""
    return b""


def unsupported(data: bytes) -> str:
    """Always empty."""
    return ""


def count_clears(lzw: bytes, code_size: int, at_most: int) -> int:
    """Count how often LZW data restart their table: at each clear code and each end code, up to `at_most`.

    The bit length of a code follows from its distance to the last restart, so the next restart is found without decoding.
    """
    if not 1 < code_size < _MAX_CODE_BITS:  # OpenCV refuses it
        return 0
    clear = 1 << code_size
    masks, starts = _codes(code_size)
    padded = lzw + bytes(2 * _TABLE)
    words = np.ndarray(len(padded) - 3, "<u4", padded, strides=(1,))  # the four bytes that start at each byte
    found = since = position = 0
    while position < 8 * len(lzw) and found < at_most:
        span = slice(since, since + (32 if since == 0 else _TABLE))  # short at first: a bomb restarts all the time
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
    """Masks and start bits of the codes after a restart, by the number of codes read since then."""
    entries = ((1 << code_size) + 1 + number for number in range(2 * _TABLE))
    lengths = np.array([max(code_size + 1, min(_MAX_CODE_BITS, count.bit_length())) for count in entries])
    return (1 << lengths) - 1, np.concatenate([[0], np.cumsum(lengths)])


def _blocks(data: bytes) -> Iterator[tuple[int, list[int]]]:
    """The position of each image or extension, and the positions of its sub-blocks; the last sub-block is empty."""
    left = _MAX_SUB_BLOCKS
    position = 13 + _table_bytes(data[10])
    while data[position] in (_IMAGE, _EXTENSION):
        extension = data[position] == _EXTENSION
        first = position + 2 if extension else position + 11 + _table_bytes(data[position + 9])
        sub_blocks = _sub_blocks(data, first, left)
        left -= len(sub_blocks)
        yield position, sub_blocks
        position = sub_blocks[-1] + 1


def _table_bytes(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _sub_blocks(data: bytes, position: int, at_most: int) -> list[int]:
    starts = [position]
    while len(starts) <= at_most:
        length = data[position]
        if not length:
            return starts
        position += 1 + length
        starts.append(position)
    raise ImageError(Reason.TOO_LARGE, f"GIF with more than {_MAX_SUB_BLOCKS:,} sub-blocks")
