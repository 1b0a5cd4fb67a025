"""The levels of finished pixels: grey as Pillow makes it, borders, and a table for each channel."""

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels

Table = tuple[int, ...]
"""256 levels, 0 to 255."""


def grey_as_pillow(pixels: Pixels) -> Pixels:
    """uint8 `[h, w, 3]` RGB to uint8 `[h, w, 1]`, as Pillow's `convert("L")`."""
    red, green, blue = cv2.split(pixels)
    grey = red.astype(np.uint32)
    grey *= 19_595
    grey += np.multiply(green, 38_470, dtype=np.uint32)
    grey += np.multiply(blue, 7_471, dtype=np.uint32)
    grey += 0x8000
    grey >>= 16
    return grey.astype(np.uint8)[..., None]


def with_borders(pixels: Pixels, size_hw: tuple[int, int], place: tuple[int, int], color: tuple[int, ...]) -> Pixels:
    """Lay uint8 `[h, w, C]` on an image of one color, at `place`: top and left. color: one level or one per channel."""
    canvas = np.empty((*size_hw, pixels.shape[2]), np.uint8)
    canvas[:] = color
    (height, width), (top, left) = pixels.shape[:2], place
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def through_tables(pixels: Pixels, tables: tuple[Table, ...]) -> Pixels:
    """Replace the levels of uint8 `[h, w, C]`: by one table, or by one per channel."""
    table = np.array(tables, np.uint8)
    if len(tables) == 1:
        return np.take(table[0], pixels)
    return np.asarray(cv2.LUT(pixels, np.ascontiguousarray(table.T)[None]), np.uint8)
