"""The answer drawn onto the image, for the window and the recording: label, scores, rate, age and trouble."""

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.live.viewers.snapshot import MAX_SCORES, Snapshot
from edgeclf.runtime.live.viewers.text import Box, Colour, Style, draw_text, text_width, wrap
from edgeclf.runtime.results.row import UNSURE

_ENLARGED_HW = (480, 640)
"""Smaller images are enlarged until one side has this length, so that text fits."""
_SMALLEST_HW = (240, 320)
"""Images that are still lower or narrower than this get borders."""
_TEXT_PX = 9.5  # height of capital letters in an image of 640x480
_WHITE = (255, 255, 255)
_GREY = (205, 205, 205)
_AMBER = (255, 190, 60)
_TEAL = (0, 128, 118)
_SLATE = (78, 88, 100)


def _tint(keep: float, colour: Colour) -> Pixels:
    """A table for cv2.LUT. It darkens an image so that white text is legible on it, and adds a colour."""
    levels = np.arange(256).reshape(1, 256, 1) * keep + np.array(colour)
    return np.asarray(levels.clip(0, 255), np.uint8)


_PANEL = _tint(0.3, (0, 0, 0))
_BAND = _tint(0.25, (150, 12, 12))


def draw_overlay(snapshot: Snapshot) -> Pixels:
    """A new image with the answer on it: uint8 `[h, w, 3]` RGB. It is larger only if the image is too small for text."""
    canvas = _canvas(snapshot.image)
    unit = max(0.8, min(canvas.shape[0], canvas.shape[1] * 0.75) / 480)
    _draw_panel(canvas, snapshot, unit)
    if snapshot.trouble:
        _draw_trouble(canvas, snapshot.trouble, unit)
    return canvas


def letterbox(image: Pixels, height: int, width: int) -> Pixels:
    """A copy scaled to fit `[height, width, 3]`, with black borders if the aspect ratio differs."""
    factor = min(height / image.shape[0], width / image.shape[1])
    return _with_borders(_resize(image, factor), height, width)


def shrink(image: Pixels, max_height: int, max_width: int) -> Pixels:
    """The image itself, or a smaller one that fits `[max_height, max_width, 3]`."""
    return _resize(image, min(1.0, max_height / image.shape[0], max_width / image.shape[1]))


def _canvas(image: Pixels) -> Pixels:
    """A copy that is large enough for text."""
    factor = min(_ENLARGED_HW[0] / image.shape[0], _ENLARGED_HW[1] / image.shape[1])
    image = _resize(image, max(1.0, factor))
    return _with_borders(image, max(image.shape[0], _SMALLEST_HW[0]), max(image.shape[1], _SMALLEST_HW[1]))


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


def _draw_panel(canvas: Pixels, snapshot: Snapshot, unit: float) -> None:
    """Draw a translucent panel in the top left corner: the label, a bar for each score, rate and age."""
    scores = snapshot.scores[:MAX_SCORES]
    margin, row, title = round(10 * unit), round(22 * unit), round(40 * unit)
    panel = canvas[margin : margin + title + row * (len(scores) + 1) + margin // 2, margin : margin + round(270 * unit)]
    panel[:] = cv2.LUT(panel, _PANEL)
    inside = panel[:, margin:-margin]
    width = inside.shape[1]
    percent = f"{snapshot.confidence:.0%}" if snapshot.label else ""
    headline = Style(17 * unit, _AMBER if snapshot.label == UNSURE else _WHITE, bold=True)
    _draw_pair(inside, (snapshot.label or "no answer yet", percent), Box(0, 0, width, title), headline)
    for number, (name, score) in enumerate(scores):
        top = title + number * row
        inside[top + 1 : top + row - 1, : max(1, round(width * score))] = _TEAL if name == snapshot.label else _SLATE
        box = Box(margin // 2, top, width - margin, row)
        _draw_pair(inside, (name, f"{score:.1%}"), box, Style(_TEXT_PX * unit))
    last_line = Box(0, title + len(scores) * row, width, row)
    _draw_pair(inside, (f"{snapshot.fps:.1f} fps", _age(snapshot.age_ms)), last_line, Style(_TEXT_PX * unit, _GREY))


def _draw_trouble(canvas: Pixels, trouble: str, unit: float) -> None:
    """Draw a red band along the bottom edge."""
    margin, row = round(10 * unit), round(22 * unit)
    width, style = canvas.shape[1] - 2 * margin, Style(11 * unit)
    lines = wrap(trouble, width, style)
    band = canvas[-row * len(lines) - margin :]
    band[:] = cv2.LUT(band, _BAND)
    for number, line in enumerate(lines):
        draw_text(band, line, Box(margin, margin // 2 + number * row, width, row), style)


def _draw_pair(canvas: Pixels, texts: tuple[str, str], box: Box, style: Style) -> None:
    """Draw a name at the left of a box and a number at the right. Only the name is truncated."""
    name, number = texts
    number_width = text_width(number, style)
    gap = round(style.capital_px) if number else 0
    draw_text(canvas, number, Box(box.left + box.width - number_width, box.top, number_width, box.height), style)
    draw_text(canvas, name, Box(box.left, box.top, box.width - number_width - gap, box.height), style)


def _age(age_ms: float | None) -> str:
    if age_ms is None:
        return ""
    return f"{age_ms:.0f} ms old" if age_ms < 1000 else f"{age_ms / 1000:,.1f} s old"
