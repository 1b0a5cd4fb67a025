"""Damage inside a file that has its end: what decoders pass over, filling the place with whatever comes out.

A flipped bit in a JPEG, a block of zeros where the disk failed: OpenCV, Pillow and TensorFlow give pixels without a word.
"""

import zlib
from collections.abc import Callable

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.formats import tiff
from edgeclf.runtime.images.formats.header import Header

_NO_DAMAGE = (
    "Insufficient memory",
    "Invalid SOS parameters for sequential JPEG",  # written by some cameras
    "Unknown Adobe color transform",
    "Unsupported JPEG",  # process, data precision
    "Unsupported color conversion",
    "Warning: ",  # of the JFIF revision
    "not implemented",
    "bad ICC marker",
    "subsampling level",
)
"""Words in what libjpeg says of whole images that are odd, or of a kind that simplejpeg does not read."""
_DEFLATE = (8, 32946)
_DEEPEST = 32  # bytes of a pixel: RGBA in 64 bits
_PORTION = 1 << 20


def require_simplejpeg() -> None:
    """Raise ModuleNotFoundError at once where it is not installed, and not at the first JPEG."""
    import simplejpeg  # noqa: F401


def check_inside(header: Header, data: bytes) -> None:
    """Raise ImageError `corrupt` or `truncated` for damage that can be seen for certain; harmless files always pass.

    JPEG is decoded once more, at an eighth of its size, with libjpeg's warnings as errors; damage that leaves valid codes
    remains unseen, as does all in kinds of JPEG that simplejpeg does not read. Of deflated TIFF the checksums are looked
    at. Those of PNG always are, by the decoder; WebP, GIF, BMP and other TIFF carry none: what decodes may be damaged.
    """
    check = _CHECKS.get(header.format)
    if check:
        check(header, data)


def _check_jpeg(header: Header, data: bytes) -> None:
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, "gray", min_height=1, min_width=1, strict=True)
    except ValueError as error:
        said = str(error)
        if not any(words in said for words in _NO_DAMAGE):
            reason = Reason.TRUNCATED if "premature end" in said.lower() else Reason.CORRUPT
            raise ImageError(reason, said) from None


def _check_tiff(header: Header, data: bytes) -> None:
    directory = tiff.read_directory(data)
    compression = tiff.numbers(data, directory, tiff.COMPRESSION).tolist()
    if compression and compression[0] in _DEFLATE:
        for start, length in zip(*tiff.parts(data, directory), strict=True):
            _inflate(data[int(start) : int(start + length)], header.width * header.height * _DEEPEST)


def _inflate(part: bytes, at_most: int) -> None:
    """Raise ImageError where a strip cannot be unpacked, or its checksum is wrong; no more than `at_most` bytes of it."""
    inflater = zlib.decompressobj()
    try:
        while part and not inflater.eof and at_most > 0:
            at_most -= len(inflater.decompress(part, _PORTION))
            part = inflater.unconsumed_tail
    except zlib.error as error:
        raise ImageError(Reason.CORRUPT, f"TIFF that does not unpack ({error})") from None


_CHECKS: dict[str, Callable[[Header, bytes], None]] = {"JPEG": _check_jpeg, "TIFF": _check_tiff}
