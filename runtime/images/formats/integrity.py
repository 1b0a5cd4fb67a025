"""Damage inside a complete file, which decoders accept and fill with wrong pixels.

Examples are a flipped bit in a JPEG, or a block of zeros after a disk error: OpenCV, Pillow and TensorFlow return pixels
without a warning.
"""

import zlib
from collections.abc import Callable

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.formats import tiff
from edgeclf.runtime.images.formats.header import Header

_HARMLESS_WARNINGS = (
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
"""Words of libjpeg's messages about intact images that are unusual, or of a kind that simplejpeg does not read."""
_DEFLATE = (8, 32946)
_MAX_PIXEL_BYTES = 32  # RGBA in 64 bits a channel
_CHUNK_BYTES = 1 << 20


def require_simplejpeg() -> None:
    """Raise ModuleNotFoundError now rather than at the first JPEG when simplejpeg is not installed."""
    import simplejpeg  # noqa: F401


def check_integrity(header: Header, data: bytes) -> None:
    """Raise ImageError `corrupt` or `truncated` for damage that is certain; intact files always pass.

    A JPEG is decoded once more at an eighth of its size, with libjpeg's warnings as errors. Damage that leaves valid codes
    goes unnoticed, and so does any damage in kinds of JPEG that simplejpeg does not read. Deflated TIFF strips have
    checksums, which are verified. The decoder always verifies those of PNG. WebP, GIF, BMP and other TIFFs carry no
    checksums: damage that still decodes goes unnoticed.
    """
    check = _CHECKS.get(header.format)
    if check:
        check(header, data)


def _check_jpeg(header: Header, data: bytes) -> None:
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, "gray", min_height=1, min_width=1, strict=True)
    except ValueError as error:
        message = str(error)
        if not any(words in message for words in _HARMLESS_WARNINGS):
            reason = Reason.TRUNCATED if "premature end" in message.lower() else Reason.CORRUPT
            raise ImageError(reason, message) from None


def _check_tiff(header: Header, data: bytes) -> None:
    directory = tiff.read_directory(data)
    if tiff.first_number(data, directory, tiff.COMPRESSION, 0) in _DEFLATE:
        for start, length in zip(*tiff.strips(data, directory), strict=True):
            _inflate(data[int(start) : int(start + length)], header.width * header.height * _MAX_PIXEL_BYTES)


def _inflate(strip: bytes, at_most: int) -> None:
    """Raise ImageError when a strip cannot be inflated or its checksum is wrong; stop after `at_most` bytes."""
    inflater = zlib.decompressobj()
    try:
        while strip and not inflater.eof and at_most > 0:
            at_most -= len(inflater.decompress(strip, _CHUNK_BYTES))
            strip = inflater.unconsumed_tail
    except zlib.error as error:
        raise ImageError(Reason.CORRUPT, f"TIFF that cannot be inflated ({error})") from None


_CHECKS: dict[str, Callable[[Header, bytes], None]] = {"JPEG": _check_jpeg, "TIFF": _check_tiff}
