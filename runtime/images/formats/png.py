"""PNG by its chunks: its size, what its texts unpack to, and its still image where it is animated."""

import struct
from collections.abc import Iterator

MAGICS: tuple[bytes, ...] = (b"\x89PNG\r\n\x1a\n",)
_SAMPLES = {2: 3, 4: 2, 6: 4}  # RGB, grey with alpha, RGB with alpha
_MAX_CHUNKS = 100_000
_PACKED_TEXTS = (b"zTXt", b"iTXt")
_DEFLATE_RATIO = 1032  # no deflated byte unpacks to more
_MAX_TEXT = 8_000_000  # libpng's own limit for one chunk
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises IndexError or struct.error where the file is cut, wherever that is.

    OpenCV would reserve what a chunk claims to have, up to 2 GB, before it looks.
    """
    width, height = struct.unpack_from(">II", data, 16)
    for _ in chunks(data):
        pass
    return width, height


def is_cut(data: bytes) -> bool:
    """Never: a file that `size` accepted has all its chunks."""
    return False


def bits(data: bytes) -> int:
    """That the file has for each pixel, unpacked: of one sample, times the samples of its kind of colour."""
    return data[24] * _SAMPLES.get(data[25], 1)


def work(data: bytes, pixels: int, enough: int) -> int:
    """In pixels of a usual image: libpng unpacks every text, up to 8 MB each, though nobody reads them."""
    texts = (end - start for kind, start, end in chunks(data) if kind in _PACKED_TEXTS)
    return max(pixels, sum(min(length * _DEFLATE_RATIO, _MAX_TEXT) for length in texts))


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where its body starts and ends; the checksum follows. Raises IndexError or struct.error at a cut."""
    position = 8
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            raise IndexError
        yield kind, position + 8, end
        if kind == b"IEND":
            break
        position = end + 4


def still(data: bytes) -> bytes:
    """The same file without its animation; any other file as it is.

    OpenCV's reader of animations takes damaged and missing pixels for good ones (5.0, 4.14) and needs four times the
    memory. What remains is what readers that know no animation show: nearly always the first frame.
    """
    if data.find(b"acTL", 0, data.find(b"IDAT")) < 0:
        return data
    kept = (data[start - 8 : end + 4] for kind, start, end in chunks(data) if kind not in _ANIMATION)
    return data[:8] + b"".join(kept)
