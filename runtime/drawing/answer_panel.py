"""The answer drawn onto its image, for viewers, recordings and `--save`: the label, and a bar for each of its scores."""

from dataclasses import dataclass

import cv2
import numpy as np

from edgeclf.runtime.drawing.canvas import text_scale
from edgeclf.runtime.drawing.text import Box, Colour, Style, draw_text, text_width
from edgeclf.runtime.images.decode import Pixels

MAX_SCORES = 5
"""The most scores that a panel shows."""
_TEXT_PX = 9.5  # height of capital letters in an image of 640x480
_WHITE = (255, 255, 255)
_GREY = (205, 205, 205)
_AMBER = (255, 190, 60)
_TEAL = (0, 128, 118)
_SLATE = (78, 88, 100)


@dataclass(frozen=True, slots=True)
class AnswerPanel:
    """label: a class, or what stands in its place; in another colour if it is not sure. percent: at the label's right.

    scores: classes with their probabilities, best first. footer: a last line, at its left and at its right, or None.
    """

    label: str
    percent: str
    scores: tuple[tuple[str, float], ...]
    is_sure: bool = True
    footer: tuple[str, str] | None = None


def tint(keep: float, colour: Colour) -> Pixels:
    """A table for cv2.LUT. It darkens an image so that white text is legible on it, and adds a colour."""
    levels = np.arange(256).reshape(1, 256, 1) * keep + np.array(colour)
    return np.asarray(levels.clip(0, 255), np.uint8)


_DARKENED = tint(0.3, (0, 0, 0))


def draw_panel(canvas: Pixels, answer: AnswerPanel) -> None:
    """Draw a translucent panel into the top left corner of uint8 `[h, w, 3]` RGB."""
    unit = text_scale(canvas)
    scores = answer.scores[:MAX_SCORES]
    margin, row, title = round(10 * unit), round(22 * unit), round(40 * unit)
    bottom = margin + title + row * (len(scores) + bool(answer.footer)) + margin // 2
    panel = canvas[margin:bottom, margin : margin + round(270 * unit)]
    panel[:] = cv2.LUT(panel, _DARKENED)
    inside = panel[:, margin:-margin]
    width = inside.shape[1]
    headline = Style(17 * unit, _WHITE if answer.is_sure else _AMBER, bold=True)
    _draw_pair(inside, (answer.label, answer.percent), Box(0, 0, width, title), headline)
    for number, (name, score) in enumerate(scores):
        top = title + number * row
        inside[top + 1 : top + row - 1, : max(1, round(width * score))] = _TEAL if name == answer.label else _SLATE
        box = Box(margin // 2, top, width - margin, row)
        _draw_pair(inside, (name, f"{score:.1%}"), box, Style(_TEXT_PX * unit))
    if answer.footer:
        last_line = Box(0, title + len(scores) * row, width, row)
        _draw_pair(inside, answer.footer, last_line, Style(_TEXT_PX * unit, _GREY))


def with_caption(canvas: Pixels, name: str, number: str) -> Pixels:
    """A copy of uint8 `[h, w, 3]` RGB with a line of text below it, which hides nothing of the image."""
    unit = text_scale(canvas)
    margin, height = round(10 * unit), round(40 * unit)
    line = np.zeros((height, canvas.shape[1], 3), np.uint8)
    box = Box(margin, 0, canvas.shape[1] - 2 * margin, height)
    _draw_pair(line, (name, number), box, Style(17 * unit, _WHITE, bold=True))
    return np.concatenate([canvas, line])


def _draw_pair(canvas: Pixels, texts: tuple[str, str], box: Box, style: Style) -> None:
    """Draw a name at the left of a box and a number at the right. Only the name is truncated."""
    name, number = texts
    number_width = text_width(number, style)
    gap = round(style.capital_px) if number else 0
    draw_text(canvas, number, Box(box.left + box.width - number_width, box.top, number_width, box.height), style)
    draw_text(canvas, name, Box(box.left, box.top, box.width - number_width - gap, box.height), style)
