"""The image that an answer is drawn onto: large enough for text, or of the size that a window or a video has."""

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels

_ENLARGED_HW = (480, 640)
"""Smaller images are enlarged until one side has this length, so that text fits."""
_SMALLEST_HW = (240, 320)
"""Images that are still lower or narrower than this get borders."""


def with_room_for_text(image: Pixels) -> Pixels:
    """A copy, uint8 `[h, w, 3]`. It is larger only if the image is too small for text."""
    factor = min(_ENLARGED_HW[0] / image.shape[0], _ENLARGED_HW[1] / image.shape[1])
    image = _resize(image, max(1.0, factor))
    return _with_borders(image, max(image.shape[0], _SMALLEST_HW[0]), max(image.shape[1], _SMALLEST_HW[1]))


def text_scale(canvas: Pixels) -> float:
    """How much larger text has to be than on an image of 640x480."""
    height, width, _ = canvas.shape
    return float(max(0.8, min(height, width * 0.75) / 480))


def letterbox(image: Pixels, height: int, width: int) -> Pixels:
    """A copy scaled to fit `[height, width, 3]`, with black borders if the aspect ratio differs."""
    factor = min(height / image.shape[0], width / image.shape[1])
    return _with_borders(_resize(image, factor), height, width)


def shrink(image: Pixels, max_height: int, max_width: int) -> Pixels:
    """The image itself, or a smaller one that fits `[max_height, max_width, 3]`."""
    return _resize(image, min(1.0, max_height / image.shape[0], max_width / image.shape[1]))


def _resize(image: Pixels, factor: float) -> Pixels:
    if factor == 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def _with_borders(image: Pixels, height: int, width: int) -> Pixels:
    if image.shape[:2] == (height, width):
        return image.copy()
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas
