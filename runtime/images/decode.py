"""Bytes to pixels, or an ImageError with a reason from the closed list.

This project bans `cv2.imread`: it silently accepts truncated JPEGs, and a file name that is not UTF-8 ends the process.
`cv2.imdecode` on bytes that Python has read does neither.
"""

import os
import stat
from dataclasses import dataclass
from typing import Any, Literal

from edgeclf.runtime.images.limits import MAX_PIXELS

# A second guard behind the header check, for files with a false header. OpenCV reads it once, when it is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, OptionError, Reason
from edgeclf.runtime.images.formats import tiff
from edgeclf.runtime.images.formats.header import Header, decode_cost, has_alpha, is_truncated, read_header, unsupported
from edgeclf.runtime.images.formats.integrity import check_integrity, require_simplejpeg
from edgeclf.runtime.images.formats.png import without_animation
from edgeclf.runtime.images.transparency import on_ground, stored_with_alpha

Pixels = NDArray[np.uint8]
Reduction = Literal[1, 2, 4, 8]
Channels = Literal[1, 3]
Ground = Literal["white", "black", "none"]

MAX_SIDE = 1 << 20  # OpenCV's own limit for each side
MAX_BYTES = 1 << 30  # 100 megapixels of 16-bit RGBA, uncompressed, are 800 MB

_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file. Pipes, sockets and devices are never opened, so this cannot block on one.

    Raises ImageError: `not_found`, `not_a_file`, `unreadable` or `too_large`.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()  # raises the reason if the folder cannot be listed
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(Reason.NOT_A_FILE, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise ImageError(Reason.TOO_LARGE, f"{status.st_size:,} bytes; the limit is {MAX_BYTES:,}")
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unreadable(Reason.NOT_FOUND, error) from None
    except (OSError, ValueError) as error:  # ValueError: the name contains a NUL character
        raise _unreadable(Reason.UNREADABLE, error) from None


@dataclass(frozen=True)
class Checks:
    """The checks that a file must pass before it is decoded.

    max_pixels: refuse images that have more pixels, or that cost as much to decode. For a limit above MAX_PIXELS, set the
    environment variable OPENCV_IO_MAX_IMAGE_PIXELS before importing anything from here: OpenCV reads its own limit once.
    strict: look for damage inside the file; see `check_integrity`. Raises ModuleNotFoundError without simplejpeg.
    exif: no check, but what is read on the way: when, where and with which camera a photo was taken.
    """

    max_pixels: int = MAX_PIXELS
    strict: bool = False
    exif: bool = False

    def __post_init__(self) -> None:
        if self.max_pixels < 1:
            raise OptionError(f"the pixel limit must be at least 1, not {self.max_pixels:,}; the default is {MAX_PIXELS:,}")
        if self.strict:
            require_simplejpeg()

    def header_of(self, data: bytes) -> Header:
        """The header of a file that passes all checks. Raises ImageError."""
        header = read_header(data)
        try:
            check_size(header, self.max_pixels)
            check_decode_cost(header, data, self.max_pixels)
            if is_truncated(header, data):
                raise ImageError(Reason.TRUNCATED, f"{header.format} without its end")
            if self.strict:
                check_integrity(header, data)
        except ImageError as error:
            error.size_hw = (header.height, header.width)
            raise
        return header


def check_size(header: Header, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ImageError `too_large` for more than `max_pixels` pixels, or for a side longer than 2**20."""
    if header.width * header.height > max_pixels or max(header.width, header.height) > MAX_SIDE:
        size = f"{header.width} x {header.height} pixels ({_megapixels(header.width * header.height)})"
        raise ImageError(Reason.TOO_LARGE, f"{size}; the limit is {max_pixels / 1e6:,.3g} megapixels")


def check_decode_cost(header: Header, data: bytes, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ImageError `too_large` for a small file that would keep the decoder busy for minutes or fill the memory."""
    cost = decode_cost(header, data, max_pixels)
    if cost > max_pixels:
        image = f"{header.format} of {header.width} x {header.height} pixels"
        limit = f"the limit is {max_pixels / 1e6:,.3g} megapixels"
        raise ImageError(Reason.TOO_LARGE, f"{image} that costs as much to decode as {_megapixels(cost)}; {limit}")


def decode(data: bytes, header: Header, channels: Channels, reduction: Reduction = 1, ground: Ground = "white") -> Pixels:
    """Decode to uint8 `[h, w, channels]`, RGB or grey, upright by EXIF, on its ground, 16 bits reduced to 8.

    `reduction` divides both sides inside a JPEG's own DCT, rounding up. It must be 1 for other formats: OpenCV would decode
    them in full and then take every n-th pixel. `ground`: as in Preprocess. Raises ImageError: `unsupported`, `corrupt` or
    `too_large`.
    """
    if header.format == "TIFF" and (kind := unsupported(header, data)):  # OpenCV may read black or noise from it
        raise _not_read(header, kind)
    flags = (cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE) | _REDUCED[reduction]
    file = without_animation(data) if header.format == "PNG" else data
    try:
        pixels = None if ground == "none" else _on_ground(file, header, flags, ground)
        if pixels is None:
            pixels = _deep_tiff(file, flags) if header.format == "TIFF" else _imdecode(file, flags)
    except cv2.error as error:
        raise _undecodable(header, data, error) from None
    if pixels is None:
        raise _undecodable(header, data)
    return pixels.reshape(*pixels.shape[:2], channels).astype(np.uint8, copy=False)


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} megapixels"


def _imdecode(file: bytes, flags: int) -> NDArray[Any] | None:
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(file, np.uint8), flags)
    return pixels


def _on_ground(file: bytes, header: Header, flags: int, ground: Ground) -> NDArray[Any] | None:
    """None for an image without alpha."""
    stored = stored_with_alpha(file, header) if has_alpha(header, file) else None
    if stored is None:
        return None
    alpha, colours = stored
    if colours is None or not flags & cv2.IMREAD_COLOR_RGB:  # OpenCV's own grey differs from that of its formats
        colours = _imdecode(file, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if colours is None else on_ground(colours, alpha, file, header, white=ground == "white")


def _deep_tiff(file: bytes, flags: int) -> NDArray[Any] | None:
    """A TIFF, where its range says how 16 bits become 8."""
    bits = tiff.deep_bits(file)
    pixels = _imdecode(file, flags | cv2.IMREAD_ANYDEPTH if bits else flags)
    if pixels is None or pixels.dtype != np.uint16:
        return pixels
    levels: Pixels = np.minimum(pixels >> (bits - 8), 255).astype(np.uint8)
    return levels


def _not_read(header: Header, kind: str) -> ImageError:
    return ImageError(Reason.UNSUPPORTED, f"{header.format} with {kind}, which is not read; convert it to JPEG or PNG")


def _undecodable(header: Header, data: bytes, error: cv2.error | None = None) -> ImageError:
    if error and error.code == cv2.Error.StsNoMem:
        return ImageError(Reason.TOO_LARGE, "there is not enough memory to decode it")
    image = f"{header.format} of {header.width} x {header.height} pixels"
    if error and "CV_IO_MAX_IMAGE" in str(error):
        variable = "OPENCV_IO_MAX_IMAGE_PIXELS"
        return ImageError(Reason.TOO_LARGE, f"{image}, above OpenCV's own limit; {variable} is {os.environ.get(variable)}")
    if kind := unsupported(header, data):
        return _not_read(header, kind)
    return ImageError(Reason.CORRUPT, f"{image} that does not decode")


def _unreadable(reason: Reason, error: OSError | ValueError) -> ImageError:
    failure = ImageError(reason, getattr(error, "strerror", None) or str(error))
    failure.errno = getattr(error, "errno", None)
    return failure
