"""Escaped names are harmless and come back unchanged."""

import os

import pytest

from edgeclf.runtime.terminal.escaping import escape, escape_cell, unescape

TEXTS = {
    "plain": "photos/cat.jpg",
    "spaces": " a b ",
    "every-byte": os.fsdecode(bytes(range(1, 256))),
    "every-surrogate-byte": "".join(chr(0xDC00 + byte) for byte in range(0x80, 0x100)),
    "first-3000-characters": "".join(map(chr, range(3000))),
    "astral": "\U0001f600\U000e0001\U0010ffff",
    "spellings": r"\n \x41 \u0041 \U00000041 \\ \q \x \u12",
    "trailing-backslash": "a\\",
    "formula": "=1+1",
    "escaped-formula": r"\x3d1+1",
    "minus": "-1",
    "empty": "",
}


@pytest.mark.parametrize("name", TEXTS)
def test_unescape_gives_the_text_back(name: str) -> None:
    assert unescape(escape(TEXTS[name])) == TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_unescape_gives_the_cell_back(name: str) -> None:
    assert unescape(escape_cell(TEXTS[name])) == TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_escaped_text_prints_and_is_utf8(name: str) -> None:
    escaped = escape(TEXTS[name])

    assert escaped.isprintable()
    escaped.encode("utf-8")


@pytest.mark.parametrize("start", "=+-@\t\r\n")
def test_cell_never_starts_as_a_formula(start: str) -> None:
    assert not escape_cell(f"{start}1").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("text", ["cat.jpg", "caf\u00e9 \u72ac.jpg", "a=b.jpg", "a b.jpg"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert escape_cell(text) == text


def test_bytes_that_are_not_utf8_show_their_value() -> None:
    assert escape(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
