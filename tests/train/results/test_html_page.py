"""The HTML page of all reports: it loads nothing, and text from outside never becomes markup."""

import pytest

from edgeclf.train.results.html_page import bullets, figure, lead, page, pairs, paragraph, table, text
from tests.support.pages import Page

HOSTILE = "<script>alert(1)</script>\"'&amp;\n\u202e"
ESCAPED = "<script>alert(1)</script>\"'&amp;" + r"\n\u202e"
SMALLEST_PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (300).to_bytes(4) + (200).to_bytes(4)


def test_a_page_is_complete_and_well_nested() -> None:
    parsed = Page(page("title", lead("lead"), {"Section": paragraph("text")}))
    assert parsed.well_nested
    assert parsed.tags == [
        "html",
        "head",
        "meta",
        "meta",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "p",
        "section",
        "h2",
        "p",
    ]


def test_no_text_from_outside_becomes_markup() -> None:
    body = table([HOSTILE], [[HOSTILE]]) + pairs({HOSTILE: HOSTILE}) + paragraph(HOSTILE) + bullets([HOSTILE])
    parsed = Page(page(HOSTILE, lead(HOSTILE), {HOSTILE: body}))
    assert "script" not in parsed.tags
    assert parsed.texts.count(ESCAPED) == 10


def test_an_empty_section_is_left_out() -> None:
    assert "Nothing" not in page("title", "", {"Nothing": "", "Something": paragraph("x")})


def test_a_page_may_have_css_rules_of_its_own() -> None:
    assert "main { max-width: 1rem }\n</style>" in page("title", "", {}, "main { max-width: 1rem }\n")


def test_numbers_are_right_aligned_and_rows_can_be_marked() -> None:
    made = table(["name", "count"], [["a", 1], ["b", 2]], numbers=[1], marked=[1])
    assert '<tr><th>name</th><th class="number">count</th></tr>' in made
    assert '<tr><td>a</td><td class="number">1</td></tr>' in made
    assert '<tr class="marked"><td>b</td><td class="number">2</td></tr>' in made


@pytest.mark.parametrize("empty", [table(["a"], []), pairs({"a": None}), bullets([])], ids=["table", "pairs", "bullets"])
def test_empty_content_gives_no_markup(empty: str) -> None:
    assert empty == ""


@pytest.mark.parametrize(
    ("value", "cell"),
    [({"a_b": 1, "none": None, "b": 2}, "a b 1, b 2"), ((64, 64), "64, 64"), (0.00123456, "0.001235"), ("x", "x")],
    ids=["mapping", "sequence", "fraction", "text"],
)
def test_values_are_shown_as_plain_text(value: object, cell: str) -> None:
    assert f"<td>the name</td><td>{cell}</td>" in pairs({"the_name": value})


def test_a_figure_has_the_size_that_it_was_drawn_for() -> None:
    parsed = Page(figure(SMALLEST_PNG, HOSTILE))
    assert 'width="200"' in figure(SMALLEST_PNG, "")  # 300 dots at 144 per inch, shown at 96 per inch
    assert parsed.attributes == {"width", "alt", "src"}


def test_unprintable_text_is_escaped() -> None:
    assert text("caf\udce9\x1b") == r"caf\xe9\x1b"
