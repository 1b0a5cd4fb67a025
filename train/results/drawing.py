"""The style of all figures: readable on light and dark pages, and for readers with red-green colour blindness.

Figures are created directly and never through pyplot, which keeps them in a global state.
"""

import io
from functools import cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.results.html_page import DOTS_PER_INCH

INK, FIRST, SECOND = "#808080", "#2a85c8", "#d1690e"  # grey, blue, orange: contrast of 3.6:1 or more on white and black
_NO_GLYPH = "\N{WHITE SQUARE}"


def png(figure: Figure) -> bytes:
    """The figure as a PNG file with a transparent background. The same figure gives the same bytes."""
    file = io.BytesIO()
    options = {"bbox_inches": "tight", "pad_inches": 0.05, "metadata": {"Software": None}}
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, transparent=True, **options)
    return file.getvalue()


def style_axes(axes: Axes, x_label: str, y_label: str) -> None:
    """Label both axes, and show a faint grid and the left and bottom lines only."""
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(color=INK, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(x_label, color=INK, parse_math=False)
    axes.set_ylabel(y_label, color=INK, parse_math=False)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_visible(side in ("left", "bottom"))


def legend(owner: Axes | Figure, **place: Any) -> None:
    """Add a legend without a frame. place: keyword arguments of matplotlib's `legend`, which chooses a place by default."""
    for text in owner.legend(frameon=False, labelcolor=INK, fontsize=9, **place).get_texts():
        text.set_parse_math(False)


def printable(text: str, longest: int = 24) -> str:
    """The text on one line, with at most `longest` characters. A character that the font lacks becomes a square."""
    text = escape(text)
    if len(text) > longest:
        text = f"{text[: longest - 10]}…{text[-9:]}"
    return "".join(character if ord(character) in _glyphs() else _NO_GLYPH for character in text)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(findfont(FontProperties())).get_charmap())
