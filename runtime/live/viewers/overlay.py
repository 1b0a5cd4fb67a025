"""The answer drawn onto the image, for the window and the recording: label, bars, rate, age and trouble."""

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.live.viewers.snapshot import BARS, Snapshot
from edgeclf.runtime.live.viewers.text import Box, Colour, width, wrap, write
from edgeclf.runtime.results.row import UNSURE

_ENLARGED_HW = (480, 640)
"""An image that is smaller is enlarged until one side has this length, so that text fits."""
_SMALLEST_HW = (240, 320)
"""What is lower or narrower even then gets borders."""
_TEXT = 9.5  # height of capital letters in an image of 640x480
_WHITE = (255, 255, 255)
_GREY = (205, 205, 205)
_AMBER = (255, 190, 60)
_TEAL = (0, 128, 118)
_SLATE = (78, 88, 100)


def _tint(keep: float, colour: Colour) -> Pixels:
    """How to darken an image, so that white text is legible on any, and to add a colour: a table for cv2.LUT."""
    levels = np.arange(256).reshape(1, 256, 1) * keep + np.array(colour)
    return np.asarray(levels.clip(0, 255), np.uint8)


_PANEL = _tint(0.3, (0, 0, 0))
_BAND = _tint(0.25, (150, 12, 12))


def draw(snapshot: Snapshot) -> Pixels:
    """A new image with the answer on it: uint8 `[h, w, 3]` RGB, of the same size unless that is too small for text."""
    canvas = _canvas(snapshot.image)
    unit = max(0.8, min(canvas.shape[0], canvas.shape[1] * 0.75) / 480)
    _draw_answer(canvas, snapshot, unit)
    if snapshot.trouble:
        _draw_trouble(canvas, snapshot.trouble, unit)
    return canvas


def fit(image: Pixels, height: int, width: int) -> Pixels:
    """A copy as large as fits into `[height, width, 3]`, with black borders where the aspect ratio is another one."""
    factor = min(height / image.shape[0], width / image.shape[1])
    return _with_borders(_resize(image, factor), height, width)


def shrink(image: Pixels, height: int, width: int) -> Pixels:
    """The image itself, or a smaller one that fits into `[height, width, 3]`."""
    return _resize(image, min(1.0, height / image.shape[0], width / image.shape[1]))


def _canvas(image: Pixels) -> Pixels:
    """A copy that is large enough to write on."""
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


def _draw_answer(canvas: Pixels, snapshot: Snapshot, unit: float) -> None:
    """A translucent panel in the upper left corner: the label, a bar for each score, rate and age."""
    scores = snapshot.scores[:BARS]
    margin, row, title = round(10 * unit), round(22 * unit), round(40 * unit)
    panel = canvas[margin : margin + title + row * (len(scores) + 1) + margin // 2, margin : margin + round(270 * unit)]
    panel[:] = cv2.LUT(panel, _PANEL)
    inside = panel[:, margin:-margin]
    room = inside.shape[1]
    percent = f"{snapshot.confidence:.0%}" if snapshot.label else ""
    colour = _AMBER if snapshot.label == UNSURE else _WHITE
    _write_pair(inside, snapshot.label or "no answer yet", percent, (0, 0, room, title), 17 * unit, colour, bold=True)
    for top, (name, score) in enumerate(scores):
        top = title + top * row
        inside[top + 1 : top + row - 1, : max(1, round(room * score))] = _TEAL if name == snapshot.label else _SLATE
        _write_pair(inside, name, f"{score:.1%}", (margin // 2, top, room - margin, row), _TEXT * unit, _WHITE)
    rate = (0, title + len(scores) * row, room, row)
    _write_pair(inside, f"{snapshot.fps:.1f} fps", _age(snapshot.age_ms), rate, _TEXT * unit, _GREY)


def _draw_trouble(canvas: Pixels, trouble: str, unit: float) -> None:
    """A red band along the lower edge."""
    margin, row = round(10 * unit), round(22 * unit)
    room = canvas.shape[1] - 2 * margin
    lines = wrap(trouble, room, 11 * unit)
    band = canvas[-row * len(lines) - margin :]
    band[:] = cv2.LUT(band, _BAND)
    for number, line in enumerate(lines):
        write(band, line, (margin, margin // 2 + number * row, room, row), 11 * unit, _WHITE)


def _write_pair(
    canvas: Pixels, name: str, number: str, box: Box, capital_px: float, colour: Colour, bold: bool = False
) -> None:
    """A name at the left and a number at the right, which is never cut."""
    left, top, room, height = box
    taken = width(number, capital_px, bold)
    write(canvas, number, (left + room - taken, top, taken, height), capital_px, colour, bold)
    write(canvas, name, (left, top, room - taken - round(capital_px) * bool(number), height), capital_px, colour, bold)


def _age(age_ms: float | None) -> str:
    if age_ms is None:
        return ""
    return f"{age_ms:.0f} ms old" if age_ms < 1000 else f"{age_ms / 1000:,.1f} s old"
