"""TIFF: size, completeness, alpha and range from its first directory, the only one that is decoded."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.formats import tiff_kinds

MAGICS: tuple[bytes, ...] = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES = 256, 257, 258, 259, 262, 274, 277
STRIPS, STRIP_BYTES = 273, 279
PAGE_KIND, MAXIMUM, EXTRA_SAMPLES, SAMPLE_FORMAT = 254, 281, 338, 339
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
SHORT = 3
_MAX_ENTRIES = 4_096
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_DTYPES = {1: "u1", SHORT: "u2", 4: "u4", 16: "u8"}
_UNCOMPRESSED = 1
_RGB = 2
_PREMULTIPLIED, _STRAIGHT = 1, 2
_THUMBNAIL, _MASK = 1, 4
_MAX_PAGES = 1_000
_SCALED_BITS = (10, 12, 14)
_LARGE_TILE_COST = 10
"""Cost of one pixel of a tile that is larger than the image."""

Numbers = NDArray[np.unsignedinteger[Any]]
Directory = dict[int, "Entry"]
"""The entries of a directory by tag."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tag's value is: the type of its items, their count, and the position of the first."""

    kind: int
    count: int
    position: int

    @property
    def end(self) -> int:
        return self.position + self.count * _ITEM_BYTES.get(self.kind, 0)


def size(data: bytes) -> tuple[int, int]:
    """Width and height, 0 for a missing one. Raises struct.error or OverflowError when the file is truncated."""
    directory = read_directory(data)
    return first_number(data, directory, WIDTH, 0), first_number(data, directory, HEIGHT, 0)


def is_truncated(data: bytes) -> bool:
    """Whether a value, a strip or a tile lies beyond the end of the file. Later pages are not checked."""
    directory = read_directory(data)
    starts, lengths = strips(data, directory)
    beyond = (starts > len(data)) | (lengths > len(data) - np.minimum(starts, len(data)))
    return bool(beyond.any()) or any(entry.end > len(data) for entry in directory.values())


def bits_per_pixel(data: bytes) -> int:
    """Uncompressed."""
    directory = read_directory(data)
    return first_number(data, directory, BITS, 1) * first_number(data, directory, SAMPLES, 1)


def decode_cost(data: bytes, pixels: int, limit: int) -> int:
    """In pixels of an ordinary image: memory is allocated for a whole tile, even if the image is a small corner of it."""
    directory = read_directory(data)
    tile = first_number(data, directory, TILE_WIDTH, 0) * first_number(data, directory, TILE_HEIGHT, 0)
    return pixels if tile <= pixels else tile * _LARGE_TILE_COST


def has_alpha(data: bytes) -> bool:
    """Whether its fourth channel is alpha: by its tag, or where it has none; another channel that it names is not."""
    directory = read_directory(data)
    photometric = first_number(data, directory, PHOTOMETRIC, -1)
    if first_number(data, directory, SAMPLES, 1) != 4 or photometric != _RGB:
        return False
    return first_number(data, directory, EXTRA_SAMPLES, _STRAIGHT) in (_PREMULTIPLIED, _STRAIGHT)


def is_premultiplied(data: bytes) -> bool:
    """Whether OpenCV gives colours that are multiplied by alpha: stored so, or straight ones, which it multiplies.

    It does not if the tag is missing.
    """
    return EXTRA_SAMPLES in read_directory(data)


def unsupported(data: bytes) -> str:
    """What it holds that OpenCV does not read; see `tiff_kinds`."""
    directory = read_directory(data)
    return tiff_kinds.unread(
        compression=first_number(data, directory, COMPRESSION, _UNCOMPRESSED),
        photometric=first_number(data, directory, PHOTOMETRIC, 0),
        samples=first_number(data, directory, SAMPLES, 1),
        bits=first_number(data, directory, BITS, 1),
        sample_format=first_number(data, directory, SAMPLE_FORMAT, 1),
    )


def deep_bits(data: bytes) -> int:
    """How many bits the deep samples use of those that OpenCV hands on; 0 where it reduces them to 8 bits rightly.

    OpenCV fills 10, 12 and 14 bits up to 16, but cannot reduce them. A maximum such as 4,095 states the range of 12-bit
    values in 16-bit samples; any other maximum describes the image (TIFF 6.0, MaxSampleValue) and must not change it.
    """
    directory = read_directory(data)
    bits = first_number(data, directory, BITS, 1)
    if bits in _SCALED_BITS:
        return 16
    maximum = first_number(data, directory, MAXIMUM, 0)
    return maximum.bit_length() if bits == 16 and maximum + 1 in {1 << used for used in _SCALED_BITS} else 0


def pages(data: bytes) -> int:
    """The number of pages, at most 1,000; thumbnails and masks are none. Only the first is decoded.

    Raises the same errors as `read_directory`.
    """
    count, position, seen = 0, _first_directory(data), {0}
    while position not in seen and len(seen) <= _MAX_PAGES:  # a hostile file may go round in circles
        seen.add(position)
        directory, position = directory_at(data, position)
        count += not first_number(data, directory, PAGE_KIND, 0) & (_THUMBNAIL | _MASK)
    return count


def strips(data: bytes, directory: Directory) -> tuple[Numbers, Numbers]:
    """Starts and lengths of all strips or tiles.

    The length of a single uncompressed strip is often wrong; like libtiff, this computes it from the size of the image.
    """
    tiled = TILES in directory
    starts = numbers(data, directory, TILES if tiled else STRIPS)
    lengths = numbers(data, directory, TILE_BYTES if tiled else STRIP_BYTES)
    count = min(len(starts), len(lengths))
    starts, lengths = starts[:count].astype(np.uint64), lengths[:count].astype(np.uint64)
    if count == 1 and not tiled and first_number(data, directory, COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
        width, height = size(data)
        lengths = np.minimum(lengths, np.uint64((width * bits_per_pixel(data) + 7) // 8 * height))
    return starts, lengths


def numbers(data: bytes, directory: Directory, tag: int) -> Numbers:
    """The values of a tag, empty if it is missing or not numeric. Raises struct.error when they are truncated."""
    entry = directory.get(tag)
    if entry is None or entry.kind not in _DTYPES:
        return np.empty(0, np.uint8)
    if entry.end > len(data):
        raise struct.error
    order = byte_order(data)
    return np.frombuffer(data, order + _DTYPES[entry.kind], entry.count, entry.position)


def first_number(data: bytes, directory: Directory, tag: int, default: int) -> int:
    """The first value of a tag, or the default. Raises the same error as `numbers`."""
    values = numbers(data, directory, tag)
    return int(values[0]) if len(values) else default


def byte_order(data: bytes) -> str:
    """As the `struct` module writes it."""
    return "<" if data[:2] == b"II" else ">"


def exif(data: bytes) -> bytes:
    """The file itself: an EXIF block is laid out as a TIFF."""
    return data


def read_directory(data: bytes) -> Directory:
    """The first directory. Raises struct.error or OverflowError when it is truncated."""
    return directory_at(data, _first_directory(data))[0]


def directory_at(data: bytes, start: int) -> tuple[Directory, int]:
    """The directory at a position, and the position of the next one, 0 for none. Raises as `read_directory` does."""
    order = byte_order(data)
    big = _is_big(data)
    offset, count_format, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
    value_bytes = 8 if big else 4
    count = struct.unpack_from(order + count_format, data, start)[0]
    first = start + struct.calcsize(count_format)
    end = first + min(count, _MAX_ENTRIES) * entry_bytes
    following = struct.unpack_from(order + offset, data, end)[0]  # must be there, even if it is 0
    directory: Directory = {}
    place = first + entry_bytes - value_bytes
    for tag, kind, items, value in struct.iter_unpack(f"{order}HH{offset}{offset}", data[first:end]):
        is_elsewhere = items * _ITEM_BYTES.get(kind, 0) > value_bytes
        directory.setdefault(tag, Entry(kind, items, value if is_elsewhere else place))
        place += entry_bytes
    return directory, following


def _is_big(data: bytes) -> bool:
    """Whether it is a BigTIFF, with 64-bit offsets."""
    return bool(struct.unpack_from(byte_order(data) + "H", data, 2)[0] == 43)


def _first_directory(data: bytes) -> int:
    offset, at = ("Q", 8) if _is_big(data) else ("I", 4)
    return int(struct.unpack_from(byte_order(data) + offset, data, at)[0])
