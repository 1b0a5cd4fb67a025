"""PNG: size, alpha, the cost of its texts, and the still image of an animated file, from its chunks."""

import struct
from collections.abc import Iterator

from edgeclf.runtime.errors import ImageError, Reason

MAGICS: tuple[bytes, ...] = (b"\x89PNG\r\n\x1a\n",)
_SAMPLES = {2: 3, 4: 2, 6: 4}  # by colour type: RGB, grey with alpha, RGB with alpha
_GREY, _WITH_ALPHA = 0, (4, 6)
_MAX_CHUNKS = 100_000
_COMPRESSED_TEXTS = (b"zTXt", b"iTXt")
_DEFLATE_RATIO = 1032  # a deflated byte inflates to at most this many
_MAX_TEXT_BYTES = 8_000_000  # libpng's own limit for one chunk
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")


def size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises IndexError or struct.error when the file is truncated anywhere, ImageError `unsupported`.

    All chunks are visited first because OpenCV allocates what a chunk claims to hold, up to 2 GB, before it looks.
    """
    if data[12:16] == b"CgBI":
        raise ImageError(
            Reason.UNSUPPORTED, "a PNG of Apple's own kind (CgBI), which is not read; convert it to a standard PNG"
        )
    width, height = struct.unpack_from(">II", data, 16)
    for _ in chunks(data):
        pass
    return width, height


def is_truncated(data: bytes) -> bool:
    """Always False: a file that `size` accepted has all its chunks."""
    return False


def bits_per_pixel(data: bytes) -> int:
    """Uncompressed: the bit depth of a sample times the samples of its colour type."""
    return data[24] * _SAMPLES.get(data[25], 1)


def decode_cost(data: bytes, pixels: int, limit: int) -> int:
    """In pixels of an ordinary image: libpng inflates every text, up to 8 MB each, although no one reads them."""
    texts = (end - start for kind, start, end in chunks(data) if kind in _COMPRESSED_TEXTS)
    return max(pixels, sum(min(length * _DEFLATE_RATIO, _MAX_TEXT_BYTES) for length in texts))


def has_alpha(data: bytes) -> bool:
    """Whether it has an alpha channel, or a tRNS chunk that makes some colours transparent."""
    return data[25] in _WITH_ALPHA or bool(_chunk(data, b"tRNS", b"IDAT"))


def transparent_grey(data: bytes) -> int | None:
    """The level that is transparent in a grey PNG without alpha, which OpenCV ignores; in 8 bits, or 16 if it has 16."""
    body = _chunk(data, b"tRNS", b"IDAT")
    if data[25] != _GREY or len(body) < 2:
        return None
    depth = data[24]
    level = int(struct.unpack_from(">H", body)[0])
    return level if depth >= 8 else level * 255 // ((1 << depth) - 1)


def exif(data: bytes) -> bytes:
    """Its EXIF block, empty without one."""
    return _chunk(data, b"eXIf", b"IEND")


def unsupported(data: bytes) -> str:
    """Always empty."""
    return ""


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each chunk, and the start and end of its body. Raises IndexError or struct.error when truncated."""
    position = 8
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):  # the checksum follows the body
            raise IndexError
        yield kind, position + 8, end
        if kind == b"IEND":
            break
        position = end + 4


def without_animation(data: bytes) -> bytes:
    """The still image of an animated PNG, nearly always its first frame; any other file is returned unchanged.

    OpenCV's animation reader accepts damaged and missing pixels (5.0, 4.14) and needs four times the memory. What remains
    is what readers without animation support show.
    """
    if data.find(b"acTL", 0, data.find(b"IDAT")) < 0:
        return data
    kept = (data[start - 8 : end + 4] for kind, start, end in chunks(data) if kind not in _ANIMATION)
    return data[:8] + b"".join(kept)


def _chunk(data: bytes, wanted: bytes, before: bytes) -> bytes:
    """The body of the first chunk of this kind that precedes another kind, or empty."""
    for kind, start, end in chunks(data):
        if kind == wanted:
            return data[start:end]
        if kind == before:
            break
    return b""
