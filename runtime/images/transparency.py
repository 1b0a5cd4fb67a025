"""Transparent pixels show the ground behind them, instead of a colour that no one sees: often black."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.formats import exif, png, tiff
from edgeclf.runtime.images.formats.header import TRUNCATION_ERRORS, Header, exif_block

_NOT_TURNED = ("PNG", "WebP")
"""Formats whose EXIF orientation OpenCV does not apply when it hands on alpha."""
_FLIPS = {2: 1, 3: -1, 4: 0, 5: None, 6: 1, 7: -1, 8: 0}
"""By EXIF orientation, what `cv2.flip` takes; from 5 on, after rows and columns were exchanged."""


def stored_with_alpha(file: bytes, header: Header) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None] | None:
    """Alpha as uint8 `[h, w]`, not turned by EXIF, and the colours as uint8 `[h, w, 3]` RGB, or None if they are deeper.

    None if OpenCV finds no alpha. Raises cv2.error.
    """
    stored: NDArray[Any] | None = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        return None
    if stored.ndim == 2:
        level = png.transparent_grey(file) if header.format == "PNG" else None
        return None if level is None else (np.where(stored == level, 0, 255).astype(np.uint8), None)
    if stored.shape[2] != 4 or stored.dtype not in (np.uint8, np.uint16):
        return None
    alpha = cv2.extractChannel(stored, 3)
    if stored.dtype == np.uint16:
        return np.right_shift(alpha, 8).astype(np.uint8), None
    return alpha.astype(np.uint8, copy=False), cv2.cvtColor(stored, cv2.COLOR_BGRA2RGB).astype(np.uint8, copy=False)


def on_ground(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], file: bytes, header: Header, white: bool
) -> NDArray[np.uint8]:
    """Lay the colours on white or black, and turn the result upright. Opaque pixels are unchanged.

    colours: uint8 `[h, w, 3]` or `[h, w]`, not turned by EXIF. Raises ImageError `corrupt`.
    """
    if colours.shape[:2] != alpha.shape:
        raise ImageError(Reason.CORRUPT, f"{header.format} whose alpha has another size than its colours")
    is_premultiplied = header.format == "TIFF" and tiff.is_premultiplied(file)
    return turn_upright(cover_ground(colours, alpha, white, is_premultiplied), _orientation(file, header))


def cover_ground(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], white: bool, is_premultiplied: bool = False
) -> NDArray[np.uint8]:
    """As `on_ground`, for pixels that are not from a file."""
    if int(alpha.min()) == 255:
        return colours
    cover = alpha if colours.ndim == 2 else cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
    if not is_premultiplied:
        colours = cv2.multiply(colours, cover, scale=1 / 255).astype(np.uint8, copy=False)
    return cv2.add(colours, cv2.bitwise_not(cover)).astype(np.uint8, copy=False) if white else colours


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8. Other values, which damaged EXIF may hold, count as 1."""
    if orientation not in _FLIPS:
        return pixels
    pixels = cv2.transpose(pixels).astype(np.uint8, copy=False) if orientation >= 5 else pixels
    flip = _FLIPS[orientation]
    return pixels if flip is None else cv2.flip(pixels, flip).astype(np.uint8, copy=False)


def _orientation(file: bytes, header: Header) -> int:
    block = exif_block(header, file) if header.format in _NOT_TURNED else b""
    try:
        return exif.orientation(block) if block else 1
    except TRUNCATION_ERRORS:
        return 1
