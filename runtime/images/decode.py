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

from edgeclf.runtime.errors import ImageError, OptionError, Reason  # noqa: E402
from edgeclf.runtime.images.formats.header import Header, is_cut_short, read_header, work  # noqa: E402
from edgeclf.runtime.images.formats.integrity import check_inside, require_simplejpeg  # noqa: E402
from edgeclf.runtime.images.formats.png import still  # noqa: E402

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

    Raises ImageError: `not_found`, `not_a_file`, `unreadable` or `too_large`.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()  # a folder that cannot be listed says why
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(Reason.NOT_A_FILE, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise ImageError(Reason.TOO_LARGE, f"{status.st_size:,} bytes; the limit is {MAX_BYTES:,}")
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unreadable(Reason.NOT_FOUND, error) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise _unreadable(Reason.UNREADABLE, error) from None


@dataclass(frozen=True)
class Checks:
    """What a file must pass before it is decoded.

    max_pixels: refuse larger images, and those whose decoding costs as much. Above MAX_PIXELS, set the environment's
    OPENCV_IO_MAX_IMAGE_PIXELS before anything here is imported: OpenCV's own guard stays at what it was then.
    strict: look for damage inside; see `check_inside`. Raises ModuleNotFoundError where simplejpeg is not installed.
    """

    max_pixels: int = MAX_PIXELS
    strict: bool = False

    def __post_init__(self) -> None:
        if self.max_pixels < 1:
            raise OptionError(
                f"the largest image must have at least 1 pixel, not {self.max_pixels:,}; the default is {MAX_PIXELS:,}"
            )
        if self.strict:
            require_simplejpeg()

    def header_of(self, data: bytes) -> Header:
        """The header of an image that passed. Raises ImageError."""
        header = read_header(data)
        try:
            check_size(header, self.max_pixels)
            check_work(header, data, self.max_pixels)
            if is_cut_short(header, data):
                raise ImageError(Reason.TRUNCATED, f"{header.format} without its end")
            if self.strict:
                check_inside(header, data)
        except ImageError as error:
            error.size_hw = (header.height, header.width)
            raise
        return header


def check_size(header: Header, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ImageError `too_large` before a bomb is decoded: over `max_pixels`, or a side over 2**20."""
    if header.width * header.height > max_pixels or max(header.width, header.height) > MAX_SIDE:
        megapixels = header.width * header.height / 1e6
        size = f"{header.width} x {header.height} pixels ({megapixels:,.0f} megapixels)"
        raise ImageError(Reason.TOO_LARGE, f"{size}; the limit is {max_pixels / 1e6:,.3g} megapixels")


def check_work(header: Header, data: bytes, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ImageError `too_large` for a small file made to keep a decoder busy for minutes, or to fill the memory."""
    pixels = work(header, data, max_pixels)
    if pixels > max_pixels:
        asked = f"{header.format} of {header.width} x {header.height} that costs as much as {pixels / 1e6:,.0f} megapixels"
        raise ImageError(Reason.TOO_LARGE, f"{asked}; the limit is {max_pixels / 1e6:,.3g}")


def decode(data: bytes, header: Header, channels: Channels, reduction: Reduction = 1) -> Pixels:
    """Decode to uint8 `[h, w, channels]`, RGB or grey, EXIF orientation applied, alpha dropped, 16 bits cut to 8.

    `reduction` divides both sides inside a JPEG's own DCT, rounding up; for other formats it must be 1, because OpenCV
    would decode in full and then take every n-th pixel. Raises ImageError: `corrupt` or `too_large`.
    """
    flags = (cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE) | _REDUCED[reduction]
    file = still(data) if header.format == "PNG" else data
    try:
        pixels = cv2.imdecode(np.frombuffer(file, np.uint8), flags)
    except cv2.error as error:
        raise _undecodable(header, error) from None
    if pixels is None:
        raise _undecodable(header)
    return pixels.reshape(*pixels.shape[:2], channels).astype(np.uint8, copy=False)


def _undecodable(header: Header, error: cv2.error | None = None) -> ImageError:
    if error and error.code == cv2.Error.StsNoMem:
        return ImageError(Reason.TOO_LARGE, "not enough memory to decode it")
    size = f"{header.format} of {header.width} x {header.height}"
    if error and "CV_IO_MAX_IMAGE" in str(error):
        variable = "OPENCV_IO_MAX_IMAGE_PIXELS"
        return ImageError(Reason.TOO_LARGE, f"{size}, over OpenCV's own limit; {variable} is {os.environ.get(variable)}")
    return ImageError(Reason.CORRUPT, f"{size} that does not decode")


def _unreadable(reason: Reason, error: OSError | ValueError) -> ImageError:
    failure = ImageError(reason, getattr(error, "strerror", None) or str(error))
    failure.errno = getattr(error, "errno", None)
    return failure
