"""The orientation that an EXIF block states. The block is laid out as a TIFF."""

import struct

from edgeclf.runtime.images.formats import tiff


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
