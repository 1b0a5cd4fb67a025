"""TIFF files of any kind, tag by tag: those that Pillow and OpenCV cannot write."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FORMATS = {3: "H", 4: "I"}
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}
Tags = dict[int, tuple[int, ...]]
"""The values of tags, stored as 16-bit numbers."""


def tiff_of(pixels: NDArray[Any], tags: Tags | None = None, body: bytes | None = None) -> bytes:
    """A little-endian TIFF of one uncompressed strip, RGB or grey by its channels, with further or other tags.

    pixels: `[h, w]` or `[h, w, C]` of any dtype. body: what the strip holds instead of the pixels.
    """
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    strip = pixels.tobytes() if body is None else body
    usual: Tags = {
        254: (0,),
        256: (width,),
        257: (height,),
        258: (8 * pixels.itemsize,) * samples,
        259: (1,),
        262: (2 if samples > 2 else 1,),
        277: (samples,),
        278: (height,),
        339: (_SAMPLE_FORMATS[pixels.dtype.kind],) * samples,
    }
    entries = {tag: (3, values) for tag, values in (usual | (tags or {})).items()}
    return _packed(strip + bytes(len(strip) % 2), entries | {273: (4, (8,)), 279: (4, (len(strip),))})


def pages_of(page: bytes, kinds: tuple[int, ...]) -> bytes:
    """The page of `tiff_of` several times, each with its NewSubfileType: 0 for a page, 1 for a thumbnail, 4 for a mask."""
    (start,) = struct.unpack_from("<I", page, 4)
    (count,) = struct.unpack_from("<H", page, start)
    directory = bytearray(page[start : start + 2 + 12 * count])
    file = bytearray(page)
    struct.pack_into("<I", file, 4, len(page))
    for number, kind in enumerate(kinds, 1):
        struct.pack_into("<H", directory, 2 + 8, kind)  # the value of the first tag, 254
        following = len(file) + len(directory) + 4 if number < len(kinds) else 0
        file += directory + struct.pack("<I", following)
    return bytes(file)


def packed_bits(pixels: NDArray[np.uint8], bits: int) -> bytes:
    """The body of a grey TIFF of 10, 12 or 14 bits, without gaps: the levels from 0 to 255 on its whole range."""
    levels = pixels.astype(np.uint16)
    values = levels << (bits - 8) | levels >> (16 - bits)
    places = np.arange(bits - 1, -1, -1, dtype=np.uint16)
    return np.packbits((values[..., None] >> places & 1).astype(np.uint8).reshape(len(pixels), -1), axis=1).tobytes()


def _packed(strip: bytes, entries: dict[int, tuple[int, tuple[int, ...]]]) -> bytes:
    start = 8 + len(strip)
    lists_at = start + 2 + 12 * len(entries) + 4
    directory, lists = struct.pack("<H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        raw = struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
        value = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", lists_at + len(lists))
        lists += raw + bytes(len(raw) % 4) if len(raw) > 4 else b""
        directory += struct.pack("<HHI", tag, kind, len(values)) + value
    return b"II*\0" + struct.pack("<I", start) + strip + directory + bytes(4) + lists
