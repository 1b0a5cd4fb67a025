"""Pixels to the bytes of an image file."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Pixels

_FROM_RGB = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def encode_image(pixels: Pixels | NDArray[np.uint16], extension: str = ".png", *, quality: int = 95) -> bytes:
    """Encode RGB, RGBA or grey pixels (`[h, w, C]` or `[h, w]`) in the format of the extension.

    quality: 0 to 100, for JPEG only. Raises ValueError when the format cannot hold the pixels: a side of a JPEG has at
    most 65,500 of them.
    """
    code = _FROM_RGB.get(pixels.shape[2]) if pixels.ndim == 3 else None
    parameters = (cv2.IMWRITE_JPEG_QUALITY, quality) if extension == ".jpg" else ()
    try:
        stored = pixels if code is None else cv2.cvtColor(pixels, code)
        done, data = cv2.imencode(extension, stored, parameters)
    except cv2.error as error:
        raise ValueError(f"pixels of shape {list(pixels.shape)} cannot be encoded as {extension}: {error.err}") from None
    if not done:
        raise ValueError(f"pixels of shape {list(pixels.shape)} cannot be encoded as {extension}")
    return data.tobytes()


def to_jpeg(image: Pixels, max_side: int, quality: int) -> bytes:
    """uint8 `[h, w, C]`, RGB or grey, as a JPEG with no side longer than `max_side`; empty if OpenCV cannot encode it."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(height, width, 1))
    try:
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return encode_image(image, ".jpg", quality=quality)
    except (ValueError, cv2.error):
        return b""
