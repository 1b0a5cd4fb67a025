"""Whatever a class is called, its name can be read on the image and ends where its place ends."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.live.viewers.text import cut, spell, width, wrap, write

SIZE = 12.0


def written(text: str) -> NDArray[np.uint8]:
    canvas = np.zeros((40, 400, 3), np.uint8)
    write(canvas, text, (5, 0, 390, 40), SIZE, (255, 255, 255))
    return canvas


@pytest.mark.parametrize("text", ["é", "ß", "Ł", "Ж", "中", "→", "😀", "𐍈", "\u202e", "\n", "\udce9", "\x00"], ids=ascii)
def test_no_character_becomes_a_question_mark(text: str) -> None:
    for character in spell(text):
        assert written(character).any()
        assert not np.array_equal(written(character), written("?"))


def test_ascii_stays_as_it_is() -> None:
    assert spell("Is it a C:\\cat? 98.3%") == "Is it a C:\\cat? 98.3%"


def test_letters_of_another_shape_become_the_usual_ones() -> None:
    assert spell("\U0001d41d\U0001d41e\U0001d7d7") == "de9"


def test_bytes_that_are_not_utf8_are_spelt_out() -> None:
    assert spell("caf\udce9") == r"caf\xe9"


@pytest.mark.parametrize("bold", [False, True])
def test_text_that_fits_is_whole_and_a_longer_one_is_cut(bold: bool) -> None:
    text = "defective, with a name that goes on"
    room = width(text, SIZE, bold)

    assert cut(text, room, SIZE, bold) == text
    shorter = cut(text, room - 1, SIZE, bold)
    assert shorter.endswith("...")
    assert text.startswith(shorter.removesuffix("..."))
    assert width(shorter, SIZE, bold) <= room - 1


@pytest.mark.parametrize("text", ["i" * 1000, "W" * 1000, "iiiiW" * 200])
def test_a_cut_uses_the_room(text: str) -> None:
    assert 280 < width(cut(text, 300, SIZE), SIZE) <= 300


def test_nothing_is_written_beside_the_box() -> None:
    canvas = np.zeros((100, 300, 3), np.uint8)
    write(canvas, "W" * 1000, (50, 20, 100, 40), SIZE, (255, 255, 255))

    rows, columns = canvas.any(axis=2).nonzero()
    assert rows.min() >= 20
    assert rows.max() < 60
    assert columns.min() >= 49
    assert columns.max() <= 151  # smoothing


def test_a_sentence_takes_two_lines_at_most() -> None:
    words = "no new image from the camera for seconds"

    assert wrap(words, 10_000, SIZE) == (words,)
    first, second = wrap(words, 200, SIZE)
    assert f"{first} {second}" == words
    assert width(first, SIZE) <= 200
