"""Text on images. `cv2.putText` has two traps: it draws `?` for what its font lacks, and crashes on surrogates."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.escaping import escape

Colour = tuple[int, int, int]
"""RGB."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL_PX = 21.0  # height of a capital letter at scale 1
_ELLIPSIS = "..."


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Style:
    """capital_px: the height of a capital letter."""

    capital_px: float
    colour: Colour = (255, 255, 255)
    bold: bool = False

    @property
    def scale(self) -> float:
        """In terms of OpenCV's font."""
        return self.capital_px / _CAPITAL_PX

    @property
    def thickness(self) -> int:
        """Of the lines, in pixels."""
        return max(1, round(self.capital_px / (7 if self.bold else 11)))


def drawable(text: str) -> str:
    r"""The text as one line that this OpenCV can draw. OpenCV 5 has a font for most scripts, OpenCV 4 only for ASCII.

    Other characters lose their accent (`é` becomes `e`) or are written as Python escapes (`\u4e2d`). Surrogates, which
    names that are not UTF-8 contain, would crash `cv2.putText`.

    >>> drawable("bee\n\x1b[31m"), drawable("caf\udce9")
    ('bee\\n\\x1b[31m', 'caf\\xe9')
    """
    return "".join(map(_drawable_character, escape(text).replace("\\\\", "\\")))


def draw_text(canvas: Pixels, text: str, box: Box, style: Style) -> None:
    """Draw text at the left of a box, vertically centred. Text that is too long ends in "..."."""
    baseline = box.top + (box.height + round(style.capital_px)) // 2
    cv2.putText(
        canvas,
        truncate(text, box.width, style),
        org=(box.left, baseline),
        fontFace=_FONT,
        fontScale=style.scale,
        color=style.colour,
        thickness=style.thickness,
        lineType=cv2.LINE_AA,
    )


def text_width(text: str, style: Style) -> int:
    """The width in pixels of drawable text."""
    (width, _), _ = cv2.getTextSize(text, _FONT, style.scale, style.thickness)
    return int(width)


@lru_cache(256)
def truncate(text: str, width: int, style: Style) -> str:
    """Make text drawable, and cut it to a width in pixels. Cut text ends in "..."."""
    text = drawable(text)
    needed = text_width(text, style)
    if needed <= width:
        return text
    length = min(len(text) - 1, len(text) * width // needed + 2)  # an estimate; narrow letters may need two more
    while length > 0 and text_width(text[:length] + _ELLIPSIS, style) > width:
        length -= 1
    return text[:length] + _ELLIPSIS


@lru_cache(16)
def wrap(text: str, width: int, style: Style) -> tuple[str, ...]:
    """Split text into one or two drawable lines. The second may still be too long; `draw_text` truncates it."""
    words = drawable(text).split(" ")
    first = words.pop(0)
    while words and text_width(f"{first} {words[0]}", style) <= width:
        first += " " + words.pop(0)
    return (first, " ".join(words)) if words else (first,)


@lru_cache(4096)
def _drawable_character(character: str) -> str:
    """The first of these that the font has: the character, without its accent, in lower case (`ß` becomes `ss`)."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    for spelling in (character, plain, character.casefold()):
        if spelling and all(map(_has_glyph, spelling)):
            return spelling
    return character.encode("ascii", "backslashreplace").decode()


def _has_glyph(character: str) -> bool:
    """Whether the font has it. Otherwise OpenCV 5 draws one question mark, and OpenCV 4 one for each byte."""
    return character == "?" or not np.array_equal(_first_glyph(character), _first_glyph("?"))


def _first_glyph(text: str) -> Pixels:
    image = np.zeros((40, 16, 3), np.uint8)
    cv2.putText(image, text, org=(0, 30), fontFace=_FONT, fontScale=1.0, color=(255, 255, 255))
    return image
