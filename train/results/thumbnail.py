"""Small copies of images for HTML pages."""

import base64

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.encode import to_jpeg

_QUALITY = 75


def thumbnail(image: Pixels, side: int) -> str:
    """A JPEG in base64 whose longer side is at most `side` pixels. image: uint8 `[H, W, C]`, RGB or grey."""
    return base64.b64encode(to_jpeg(image, side, _QUALITY)).decode("ascii")
