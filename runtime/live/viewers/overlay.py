"""What is drawn onto the images of a live run, for the window and the recording: label, scores, rate, age and trouble."""

import cv2

from edgeclf.runtime.drawing.answer_panel import AnswerPanel, draw_panel, tint
from edgeclf.runtime.drawing.canvas import text_scale, with_room_for_text
from edgeclf.runtime.drawing.text import Box, Style, draw_text, wrap
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.results.row import NO_LABEL

_BAND = tint(0.25, (150, 12, 12))


def draw_overlay(snapshot: Snapshot) -> Pixels:
    """A new image with the answer on it: uint8 `[h, w, 3]` RGB. It is larger only if the image is too small for text."""
    canvas = with_room_for_text(snapshot.image)
    draw_panel(canvas, _panel(snapshot))
    if snapshot.trouble:
        _draw_trouble(canvas, snapshot.trouble)
    return canvas


def _panel(snapshot: Snapshot) -> AnswerPanel:
    return AnswerPanel(
        label=snapshot.label or "no answer yet",
        percent=f"{snapshot.confidence:.0%}" if snapshot.label else "",
        scores=snapshot.scores,
        is_sure=snapshot.label not in NO_LABEL,
        footer=(f"{snapshot.fps:.1f} fps", _age(snapshot.age_ms)),
    )


def _draw_trouble(canvas: Pixels, trouble: str) -> None:
    """Draw a red band along the bottom edge."""
    unit = text_scale(canvas)
    margin, row = round(10 * unit), round(22 * unit)
    width, style = canvas.shape[1] - 2 * margin, Style(11 * unit)
    lines = wrap(trouble, width, style)
    band = canvas[-row * len(lines) - margin :]
    band[:] = cv2.LUT(band, _BAND)
    for number, line in enumerate(lines):
        draw_text(band, line, Box(margin, margin // 2 + number * row, width, row), style)


def _age(age_ms: float | None) -> str:
    if age_ms is None:
        return ""
    return f"{age_ms:.0f} ms old" if age_ms < 1000 else f"{age_ms / 1000:,.1f} s old"
