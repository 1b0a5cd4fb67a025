"""JPEG: size, completeness and number of scans from its segments."""

import struct
from collections.abc import Iterator

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"\xff\xd8\xff",)
APP1, START_OF_SCAN, END_OF_IMAGE = 0xE1, 0xDA, 0xD9
_MAX_SEGMENTS = 10_000
_BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # not followed by a length
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the three others are tables
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xCD, 0xCE})
_EXIF = b"Exif\0\0"
_USUAL_SCANS = 20
"""Encoders write 10 scans for colour by default, and up to a dozen when they optimise for size."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises IndexError or struct.error when the file is truncated, ImageError `corrupt`."""
    height, width = struct.unpack_from(">HH", data, _frame(data) + 5)
    return width, height


def components(data: bytes) -> int:
    """1 for grey, 3 for colour, 4 for CMYK. Raises the same errors as `size`."""
    return data[_frame(data) + 9]


def is_truncated(data: bytes) -> bool:
    """Whether no end marker follows the frame header; an end marker before it belongs to a thumbnail.

    The two bytes of the marker cannot occur within pixels. Cameras may append any amount of data after the end.
    """
    return data.rfind(bytes((0xFF, END_OF_IMAGE)), _frame(data)) < 0


def bits_per_pixel(data: bytes) -> int:
    """Not used: a large JPEG is decoded at a fraction of its size."""
    return 0


def decode_cost(data: bytes, pixels: int, limit: int) -> int:
    """In pixels of an ordinary image: each scan visits all blocks, and an empty scan takes ten bytes."""
    if not _has_many_scans(data):
        return pixels
    return max(pixels, pixels * data.count(bytes((0xFF, START_OF_SCAN)), _frame(data)) // _USUAL_SCANS)


def has_alpha(data: bytes) -> bool:
    """Always False."""
    return False


def exif(data: bytes) -> bytes:
    """Its EXIF block, empty without one. Raises the same errors as `size`."""
    for marker, position in segments(data):
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            break
        if marker == APP1 and data.startswith(_EXIF, position + 4):
            return data[position + 4 + len(_EXIF) : position + 2 + int(struct.unpack_from(">H", data, position + 2)[0])]
    return b""


def unsupported(data: bytes) -> str:
    """The kinds that only other decoders read, as in `12 bits a channel`; otherwise empty."""
    frame = _frame(data)
    marker, bits = data[frame + 1], data[frame + 4]
    if marker in _LOSSLESS | _HIERARCHICAL:
        return "lossless compression" if marker in _LOSSLESS else "hierarchical compression"
    return f"{bits} bits a channel" if bits != 8 else ""


def segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The marker and the position of each segment that has a length, for at most 10,000 segments.

    The length is at position + 2, the contents are at position + 4. Raises IndexError or struct.error at the end of data.
    """
    position = 2
    for _ in range(_MAX_SEGMENTS):
        position = data.find(b"\xff", position)  # skip stray bytes between segments, as libjpeg does
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


def _frame(data: bytes) -> int:
    """The position of the start of frame."""
    for marker, position in segments(data):
        if marker in _STARTS_OF_FRAME:
            return position
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            break
    raise ImageError(Reason.CORRUPT, "JPEG without a frame header")


def _has_many_scans(data: bytes) -> bool:
    """Whether it is progressive, or its first scan does not hold all components."""
    count = 0
    for marker, position in segments(data):
        if marker in _STARTS_OF_FRAME:
            if marker not in _SEQUENTIAL:
                return True
            count = data[position + 9]
        if marker == START_OF_SCAN:
            return data[position + 4] < count
    return False
