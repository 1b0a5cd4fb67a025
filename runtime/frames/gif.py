"""GIF by its blocks: its size, whether its end is there, and how often its compression starts anew."""

import struct

import numpy as np

from edgeclf.runtime.errors import PictureError, Reason

MAGICS: tuple[bytes, ...] = (b"GIF87a", b"GIF89a")
_IMAGE, _EXTENSION = 0x2C, 0x21
_MAX_BLOCKS = 1 << 20  # of 255 bytes at most: a file of 267 MB
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
    """Whether the file ends before its blocks do. Raises IndexError for the same, PictureError `too_large`."""
    position = _first_block(data)
    for _ in range(_MAX_BLOCKS):
        if data[position] not in (_IMAGE, _EXTENSION):  # the end, or a block that nobody knows
            return False
        position = _after(data, position)
    raise _too_many()


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual picture. Raises IndexError where the file is cut, PictureError `too_large`."""
    position = _first_block(data)
    while data[position] == _EXTENSION:
        position = _after(data, position)
    start = _image_data(data, position)
    packed = b"".join(data[at + 1 : at + 1 + data[at]] for at in _sub_blocks(data, start + 1))
    return pixels * _CANVAS + _CLEAR * count_clears(packed, data[start], enough // _CLEAR + 1)


def count_clears(packed: bytes, code_size: int, at_most: int) -> int:
    """How often LZW data start a new table, which they do at every clear code and every end code.

    The length of a code follows from its distance to the last start, so the next one is found without unpacking.
    """
    if not 1 < code_size < _LONGEST:  # OpenCV refuses it
        return 0
    clear = 1 << code_size
    lengths = np.array([max(code_size + 1, min(_LONGEST, (clear + 1 + n).bit_length())) for n in range(2 * _TABLE)])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    masks = (1 << lengths) - 1
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


def _first_block(data: bytes) -> int:
    return 13 + _table_bytes(data[10])


def _table_bytes(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _after(data: bytes, position: int) -> int:
    """Where the block after an image or an extension is."""
    first = position + 2 if data[position] == _EXTENSION else _image_data(data, position) + 1
    return _sub_blocks(data, first)[-1] + 1


def _image_data(data: bytes, position: int) -> int:
    """Where the code size is; the LZW data follow."""
    return position + 10 + _table_bytes(data[position + 9])


def _sub_blocks(data: bytes, position: int) -> list[int]:
    """Where each starts, with its length; the last one is empty. Raises IndexError, PictureError `too_large`."""
    starts = [position]
    while length := data[position]:
        position += 1 + length
        starts.append(position)
        if len(starts) > _MAX_BLOCKS:
            raise _too_many()
    return starts


def _too_many() -> PictureError:
    return PictureError(Reason.TOO_LARGE, f"GIF of more than {_MAX_BLOCKS:,} blocks")
