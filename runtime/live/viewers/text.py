"""Text on images. `cv2.putText` has traps: question marks for what its font lacks, and a crash for surrogates."""

import unicodedata
from functools import lru_cache

import cv2
import numpy as np

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.escaping import escape

Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""
Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL_PX = 21.0  # how high a capital letter is at scale 1
_ELLIPSIS = "..."


def spell(text: str) -> str:
    r"""One line that this OpenCV can draw: OpenCV 5 has a font for most scripts, OpenCV 4 for ASCII alone.

    What cannot be drawn loses its accent (`é` is `e`) or is spelt as in Python (`\u4e2d`). Surrogates, in names that are
    not UTF-8, would end the process in `cv2.putText`.

    >>> spell("bee\n\x1b[31m"), spell("caf\udce9")
    ('bee\\n\\x1b[31m', 'caf\\xe9')
    """
    return "".join(map(_spell, escape(text).replace("\\\\", "\\")))


def write(canvas: Pixels, text: str, box: Box, capital_px: float, colour: Colour, bold: bool = False) -> None:
    """Draw text in the middle of the box's height, from its left; what is too long ends in "...".

    capital_px: the height of a capital letter.
    """
    left, top, room, height = box
    baseline = top + (height + round(capital_px)) // 2
    scale, thickness = capital_px / _CAPITAL_PX, _thickness(capital_px, bold)
    cv2.putText(canvas, cut(text, room, capital_px, bold), (left, baseline), _FONT, scale, colour, thickness, cv2.LINE_AA)


def width(text: str, capital_px: float, bold: bool = False) -> int:
    """How many pixels `write` needs for a text that is spelt."""
    (taken, _), _ = cv2.getTextSize(text, _FONT, capital_px / _CAPITAL_PX, _thickness(capital_px, bold))
    return int(taken)


@lru_cache(256)
def cut(text: str, room: int, capital_px: float, bold: bool = False) -> str:
    """As much of a text, spelt, as there is room for, with "..." where it was cut."""
    text = spell(text)
    needed = width(text, capital_px, bold)
    if needed <= room:
        return text
    length = min(len(text) - 1, len(text) * room // needed + 2)  # a guess, which narrow letters may need two more for
    while length > 0 and width(text[:length] + _ELLIPSIS, capital_px, bold) > room:
        length -= 1
    return text[:length] + _ELLIPSIS


@lru_cache(16)
def wrap(text: str, room: int, capital_px: float) -> tuple[str, ...]:
    """The text in one line or two; the second is cut by `write`."""
    words = spell(text).split(" ")
    first = words.pop(0)
    while words and width(f"{first} {words[0]}", capital_px) <= room:
        first += " " + words.pop(0)
    return (first, " ".join(words)) if words else (first,)


def _thickness(capital_px: float, bold: bool) -> int:
    return max(1, round(capital_px / (7 if bold else 11)))


@lru_cache(4096)
def _spell(character: str) -> str:
    """The first that can be drawn: the character, the same without its accent, or in lower case (where `ß` is `ss`)."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    for spelling in (character, plain, character.casefold()):
        if spelling and all(map(_is_drawn, spelling)):
            return spelling
    return character.encode("ascii", "backslashreplace").decode()


def _is_drawn(character: str) -> bool:
    """Whether the font has it; OpenCV 5 draws one question mark for any other, OpenCV 4 one for each of its bytes."""
    return character == "?" or not np.array_equal(_first_glyph(character), _first_glyph("?"))


def _first_glyph(text: str) -> Pixels:
    image = np.zeros((40, 16, 3), np.uint8)
    cv2.putText(image, text, (0, 30), _FONT, 1.0, (255, 255, 255))
    return image
