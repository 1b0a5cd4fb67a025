"""What an EXIF block states. The block is laid out as a TIFF."""

import struct

from edgeclf.runtime.images.formats import tiff

_TEXT, _LONG, _FRACTION, _DIRECTORY = 2, 4, 5, 13
_MAX_TEXT_BYTES = 200
_MAX_FRACTIONS = 3


def orientation(block: bytes) -> int:
    """1 to 8; 1, upright, if the block states none. Raises struct.error or OverflowError when it is truncated."""
    value = first_short(block, tiff.read_directory(block), tiff.ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def first_short(data: bytes, directory: tiff.Directory, tag: int, default: int) -> int:
    """The first value of a tag of 16-bit numbers, or the default when it is missing or of another type.

    The count is ignored, as OpenCV does.
    """
    entry = directory.get(tag)
    if entry is None or entry.kind != tiff.SHORT:
        return default
    return int(struct.unpack_from(tiff.byte_order(data) + "H", data, entry.position)[0])


def sub_directory(block: bytes, directory: tiff.Directory, tag: int) -> tiff.Directory:
    """The directory that a tag leads to; empty if it is missing, damaged or elsewhere."""
    entry = directory.get(tag)
    if entry is None or entry.kind not in (_LONG, _DIRECTORY):
        return {}
    try:
        return tiff.directory_at(block, struct.unpack_from(tiff.byte_order(block) + "I", block, entry.position)[0])[0]
    except (struct.error, OverflowError):
        return {}


def text(block: bytes, directory: tiff.Directory, tag: int) -> str:
    """One line of printable text, at most 200 bytes of it; empty if it is missing or of another type."""
    entry = directory.get(tag)
    if entry is None or entry.kind != _TEXT:
        return ""
    stored = block[entry.position : entry.position + min(entry.count, _MAX_TEXT_BYTES)].partition(b"\0")[0]
    letters = stored.decode("utf-8", "replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in letters).split())


def fractions(block: bytes, directory: tiff.Directory, tag: int) -> tuple[float, ...]:
    """At most three unsigned fractions; empty if they are missing, damaged, of another type, or divide by zero."""
    entry = directory.get(tag)
    if entry is None or entry.kind != _FRACTION:
        return ()
    count = min(entry.count, _MAX_FRACTIONS)
    try:
        numbers = struct.unpack_from(f"{tiff.byte_order(block)}{2 * count}I", block, entry.position)
        return tuple(numbers[at] / numbers[at + 1] for at in range(0, 2 * count, 2))
    except (struct.error, OverflowError, ZeroDivisionError):
        return ()
