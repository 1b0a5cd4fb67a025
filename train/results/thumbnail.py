"""Small copies of images for HTML pages."""

import base64

import cv2

from edgeclf.runtime.images.decode import Pixels

_QUALITY = 75


def thumbnail(image: Pixels, side: int) -> str:
    """A JPEG in base64 whose longer side is at most `side` pixels. image: uint8 `[H, W, C]`, RGB or grey."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if small.ndim == 3 and small.shape[2] == 3:
        small = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return base64.b64encode(jpeg.tobytes()).decode("ascii")
