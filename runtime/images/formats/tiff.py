"""TIFF by its first directory, the only one that is decoded: its size, and whether its pixels are all there."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGICS: tuple[bytes, ...] = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES = 256, 257, 258, 259, 277
STRIPS, STRIP_BYTES = 273, 279
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
_MAX_ENTRIES = 4_096
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_UNCOMPRESSED = 1
_LARGE_TILE = 10
"""Pixels' worth of one pixel of a tile that is larger than the image."""

Numbers = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tag's value is: a kind of number, how many, and where in the file."""

    kind: int
    count: int
    position: int

    @property
    def end(self) -> int:
        return self.position + self.count * _ITEM_BYTES.get(self.kind, 0)


def size(data: bytes) -> tuple[int, int]:
    """Width and height, 0 where it has none. Raises struct.error or OverflowError where the file is cut."""
    directory = read_directory(data)
    width, height = (numbers(data, directory, tag) for tag in (WIDTH, HEIGHT))
    return int(width[0]) if len(width) else 0, int(height[0]) if len(height) else 0


def is_cut(data: bytes) -> bool:
    """Whether a value or a part of the pixels lies beyond the end. Pages after the first are not asked."""
    directory = read_directory(data)
    starts, lengths = parts(data, directory)
    beyond = (starts > len(data)) | (lengths > len(data) - np.minimum(starts, len(data)))
    return bool(beyond.any()) or any(entry.end > len(data) for entry in directory.values())


def bits(data: bytes) -> int:
    """That the file has for each pixel, unpacked."""
    directory = read_directory(data)
    return _first(data, directory, BITS, 1) * _first(data, directory, SAMPLES, 1)


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual image: memory is taken for a whole tile, of which the image may be a small corner."""
    directory = read_directory(data)
    tile = _first(data, directory, TILE_WIDTH, 0) * _first(data, directory, TILE_HEIGHT, 0)
    return pixels if tile <= pixels else tile * _LARGE_TILE


def parts(data: bytes, directory: dict[int, Entry]) -> tuple[Numbers, Numbers]:
    """Starts and lengths of all strips or tiles.

    Where nothing is compressed and there is one strip, its length is often nonsense, and libtiff works it out as here.
    """
    tiled = TILES in directory
    starts = numbers(data, directory, TILES if tiled else STRIPS)
    lengths = numbers(data, directory, TILE_BYTES if tiled else STRIP_BYTES)
    count = min(len(starts), len(lengths))
    starts, lengths = starts[:count].astype(np.uint64), lengths[:count].astype(np.uint64)
    if count == 1 and not tiled and _first(data, directory, COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
        width, height = size(data)
        lengths = np.minimum(lengths, np.uint64((width * bits(data) + 7) // 8 * height))
    return starts, lengths


def numbers(data: bytes, directory: dict[int, Entry], tag: int) -> Numbers:
    """A tag's values, none where it is missing or of another kind. Raises struct.error where they are cut."""
    entry = directory.get(tag)
    if entry is None or entry.kind not in _NUMBERS:
        return np.empty(0, np.uint8)
    if entry.end > len(data):
        raise struct.error
    order = "<" if data[:2] == b"II" else ">"
    return np.frombuffer(data, order + _NUMBERS[entry.kind], entry.count, entry.position)


def read_directory(data: bytes) -> dict[int, Entry]:
    """The first directory, by tag. Raises struct.error or OverflowError where it is cut."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43  # BigTIFF: 64-bit offsets
    offset, count_format, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
    start = struct.unpack_from(order + offset, data, 8 if big else 4)[0]
    count = struct.unpack_from(order + count_format, data, start)[0]
    first = start + struct.calcsize(count_format)
    struct.unpack_from(order + offset, data, first + min(count, _MAX_ENTRIES) * entry_bytes)  # where the next one is
    directory: dict[int, Entry] = {}
    for place in range(first, first + min(count, _MAX_ENTRIES) * entry_bytes, entry_bytes):
        tag, kind, items = struct.unpack_from(order + "HH" + offset, data, place)
        position = place + (12 if big else 8)
        if items * _ITEM_BYTES.get(kind, 0) > (8 if big else 4):
            position = struct.unpack_from(order + offset, data, position)[0]
        directory.setdefault(tag, Entry(kind, items, position))
    return directory


def _first(data: bytes, directory: dict[int, Entry], tag: int, default: int) -> int:
    values = numbers(data, directory, tag)
    return int(values[0]) if len(values) else default
