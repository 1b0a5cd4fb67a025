"""The page that all reports share: it loads nothing, and no text from outside becomes markup in it."""

from collections.abc import Callable

import pytest

from edgeclf.train.results.html_page import bullets, figure, page, pairs, paragraph, table, text
from tests.support.pages import Page

HOSTILE = "<script>alert(1)</script>\"'&amp;\n\u202e"
SPELT = "<script>alert(1)</script>\"'&amp;" + r"\n\u202e"
SMALLEST_PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (300).to_bytes(4) + (200).to_bytes(4)


def test_a_page_is_whole_and_well_nested() -> None:
    parsed = Page(page("title", "lead", {"Section": paragraph("text")}))
    assert parsed.well_nested
    assert parsed.tags == ["html", "head", "meta", "meta", "title", "style", "body", "main", "h1", "p", "section", "h2", "p"]


def test_no_text_from_outside_becomes_markup() -> None:
    body = table([HOSTILE], [[HOSTILE]]) + pairs({HOSTILE: HOSTILE}) + paragraph(HOSTILE) + bullets([HOSTILE])
    parsed = Page(page(HOSTILE, HOSTILE, {HOSTILE: body}))
    assert "script" not in parsed.tags
    assert parsed.texts.count(SPELT) == 10


def test_a_section_without_anything_is_left_out() -> None:
    assert "Nothing" not in page("title", "lead", {"Nothing": "", "Something": paragraph("x")})


def test_a_page_may_bring_rules_of_its_own() -> None:
    assert "main { max-width: 1rem }\n</style>" in page("title", "lead", {}, "main { max-width: 1rem }\n")


def test_numbers_stand_on_the_right_and_rows_can_be_marked() -> None:
    made = table(["name", "count"], [["a", 1], ["b", 2]], numbers=[1], marked=[1])
    assert '<tr><th>name</th><th class="number">count</th></tr>' in made
    assert '<tr><td>a</td><td class="number">1</td></tr>' in made
    assert '<tr class="marked"><td>b</td><td class="number">2</td></tr>' in made


@pytest.mark.parametrize("empty", [table(["a"], []), pairs({}), bullets([])], ids=["table", "pairs", "bullets"])
def test_nothing_to_tell_is_no_markup(empty: str) -> None:
    assert empty == ""


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, ""), ({"a": 1, "b": 2}, "a 1, b 2"), ((64, 64), "64, 64"), (0.00123456, "0.001235"), ("x", "x")],
    ids=["nothing", "mapping", "sequence", "fraction", "text"],
)
def test_a_fact_is_told_in_plain_words(value: object, cell: str) -> None:
    assert f"<td>name</td><td>{cell}</td>" in pairs({"name": value})


def test_a_figure_has_the_size_that_it_was_drawn_for() -> None:
    parsed = Page(figure(SMALLEST_PNG, HOSTILE))
    assert 'width="200"' in figure(SMALLEST_PNG, "")  # 300 dots of 144 an inch, at 96 an inch
    assert parsed.attributes == {"class", "width", "alt", "src"}


def test_text_that_does_not_print_is_spelt_out() -> None:
    assert text("caf\udce9\x1b") == r"caf\xe9\x1b"


def test_a_page_needs_neither_matplotlib_nor_tensorflow(fresh_python: Callable[..., str]) -> None:
    heavy = {"matplotlib", "numpy", "sklearn", "tensorflow", "keras"}
    script = f"import sys, edgeclf.train.results.html_page; print({heavy} & {{*sys.modules}})"
    assert fresh_python(script) == "set()\n"
