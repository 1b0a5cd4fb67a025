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
