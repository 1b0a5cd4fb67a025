"""Bytes to pixels, or one reason from the closed list why not.

`cv2.imread` is banned in this project: it accepts every truncated JPEG in silence, and a file name that is not UTF-8 ends
the process. `cv2.imdecode` on bytes that Python read does neither.
"""

import os
import stat
from dataclasses import dataclass
from typing import Literal

# A second guard behind the header check, for files whose header lies; OpenCV reads it once, at its import.
MAX_PIXELS = 100_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from edgeclf.runtime.errors import PictureError, Reason  # noqa: E402
from edgeclf.runtime.frames.header import Header, is_cut_short, read_header  # noqa: E402

Pixels = NDArray[np.uint8]
Reduction = Literal[1, 2, 4, 8]
Channels = Literal[1, 3]

MAX_SIDE = 1 << 20  # OpenCV's own limit for either side
MAX_BYTES = 1 << 30  # 100 megapixels of 16-bit RGBA, uncompressed, are 800 MB

_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of one regular file; pipes, sockets and devices are never opened, so nothing can block.

    Raises PictureError: `not_found`, `not_a_file`, `unreadable` or `too_large`.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()  # a folder that cannot be listed says why
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(Reason.NOT_A_FILE, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise PictureError(Reason.TOO_LARGE, f"{status.st_size:,} bytes; the limit is {MAX_BYTES:,}")
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unreadable(Reason.NOT_FOUND, error) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise _unreadable(Reason.UNREADABLE, error) from None


@dataclass(frozen=True)
class Checks:
    """What a file must pass before it is decoded. max_pixels: refuse larger pictures."""

    max_pixels: int = MAX_PIXELS

    def header_of(self, data: bytes) -> Header:
        """The header of a picture that passed. Raises PictureError."""
        header = read_header(data)
        try:
            check_size(header, self.max_pixels)
        except PictureError as error:
            error.size_hw = (header.height, header.width)
            raise
        return header


def check_size(header: Header, max_pixels: int = MAX_PIXELS) -> None:
    """Raise PictureError `too_large` before a bomb is decoded: over `max_pixels`, or a side over 2**20."""
    if header.width * header.height > max_pixels or max(header.width, header.height) > MAX_SIDE:
        megapixels = header.width * header.height / 1e6
        size = f"{header.width} x {header.height} pixels ({megapixels:,.0f} megapixels)"
        raise PictureError(Reason.TOO_LARGE, f"{size}; the limit is {max_pixels / 1e6:,.3g} megapixels")


def decode(data: bytes, header: Header, channels: Channels, reduction: Reduction = 1) -> Pixels:
    """Decode to uint8 `[h, w, channels]`, RGB or grey, EXIF orientation applied, alpha dropped, 16 bits cut to 8.

    `reduction` divides both sides inside a JPEG's own DCT, rounding up; for other formats it must be 1, because OpenCV
    would decode in full and then take every n-th pixel. Raises PictureError: `truncated`, `corrupt` or `too_large`.
    """
    flags = (cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE) | _REDUCED[reduction]
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise PictureError(Reason.TOO_LARGE, "not enough memory to decode it") from None
        pixels = None
    if pixels is None:
        if is_cut_short(header, data):
            raise PictureError(Reason.TRUNCATED, f"{header.format} without its end")
        raise PictureError(Reason.CORRUPT, f"{header.format} of {header.width} x {header.height} that does not decode")
    return pixels.reshape(*pixels.shape[:2], channels).astype(np.uint8, copy=False)


def _unreadable(reason: Reason, error: OSError | ValueError) -> PictureError:
    failure = PictureError(reason, getattr(error, "strerror", None) or str(error))
    failure.errno = getattr(error, "errno", None)
    return failure
