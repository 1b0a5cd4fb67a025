"""Every class name is legible on the image and stays within its box."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.drawing.text import Box, Style, draw_text, drawable, text_width, truncate, wrap

STYLE = Style(12.0)


def drawn(text: str) -> NDArray[np.uint8]:
    canvas = np.zeros((40, 400, 3), np.uint8)
    draw_text(canvas, text, Box(5, 0, 390, 40), STYLE)
    return canvas


@pytest.mark.parametrize("text", ["é", "ß", "Ł", "Ж", "中", "→", "😀", "𐍈", "\u202e", "\n", "\udce9", "\x00"], ids=ascii)
def test_no_character_becomes_a_question_mark(text: str) -> None:
    for character in drawable(text):
        assert drawn(character).any()
        assert not np.array_equal(drawn(character), drawn("?"))


def test_ascii_is_unchanged() -> None:
    assert drawable("Is it a C:\\cat? 98.3%") == "Is it a C:\\cat? 98.3%"


def test_styled_letters_become_plain_ones() -> None:
    assert drawable("\U0001d41d\U0001d41e\U0001d7d7") == "de9"


def test_bytes_that_are_not_utf8_become_escapes() -> None:
    assert drawable("caf\udce9") == r"caf\xe9"


@pytest.mark.parametrize("bold", [False, True])
def test_only_text_that_does_not_fit_is_truncated(bold: bool) -> None:
    text = "defective, with a name that goes on"
    style = Style(12.0, bold=bold)
    width = text_width(text, style)

    assert truncate(text, width, style) == text
    shorter = truncate(text, width - 1, style)
    assert shorter.endswith("...")
    assert text.startswith(shorter.removesuffix("..."))
    assert text_width(shorter, style) <= width - 1


@pytest.mark.parametrize("text", ["i" * 1000, "W" * 1000, "iiiiW" * 200])
def test_truncated_text_fills_the_width(text: str) -> None:
    assert 280 < text_width(truncate(text, 300, STYLE), STYLE) <= 300


def test_nothing_is_drawn_outside_the_box() -> None:
    canvas = np.zeros((100, 300, 3), np.uint8)
    draw_text(canvas, "W" * 1000, Box(50, 20, 100, 40), STYLE)

    rows, columns = canvas.any(axis=2).nonzero()
    assert rows.min() >= 20
    assert rows.max() < 60
    assert columns.min() >= 49
    assert columns.max() <= 151  # anti-aliasing


def test_a_sentence_is_wrapped_into_two_lines() -> None:
    words = "no new image from the camera for seconds"

    assert wrap(words, 10_000, STYLE) == (words,)
    first, second = wrap(words, 200, STYLE)
    assert f"{first} {second}" == words
    assert text_width(first, STYLE) <= 200
