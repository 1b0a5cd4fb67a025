"""The common style of all figures. Warnings, such as for a missing glyph, are errors here."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from edgeclf.train.results.drawing import legend, png, printable, style_axes


@pytest.fixture
def figure() -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, "$x^{$", "y")
    axes.plot([1, 2], [3, 4], label="a line")
    return figure


def test_a_figure_is_a_png(figure: Figure) -> None:
    assert png(figure).startswith(b"\x89PNG\r\n\x1a\n")


def test_the_label_of_an_axis_is_not_a_formula(figure: Figure) -> None:
    png(figure)
    assert figure.axes[0].get_xlabel() == "$x^{$"


@pytest.mark.parametrize("whole", [False, True], ids=["inside the axes", "below the figure"])
def test_a_legend_has_no_frame_and_the_colour_of_the_text(figure: Figure, whole: bool) -> None:
    axes = figure.axes[0]
    legend(figure if whole else axes, loc="outside lower center" if whole else "best")
    found = figure.legends[0] if whole else axes.get_legend()
    assert not found.get_frame_on()
    assert [to_hex(text.get_color()) for text in found.get_texts()] == [axes.xaxis.label.get_color()]


def test_a_long_name_keeps_its_start_and_end() -> None:
    assert printable("an image of something, taken by me, 0042.jpg") == "an image of so… 0042.jpg"


def test_a_name_of_the_maximum_length_is_not_shortened() -> None:
    assert printable("cuda:0, batch 32, 2 threads", 27) == "cuda:0, batch 32, 2 threads"


def test_unprintable_characters_are_escaped() -> None:
    assert printable("a\nb\x1b") == r"a\nb\x1b"


def test_a_character_that_the_font_lacks_becomes_a_square() -> None:
    assert printable("\N{CJK UNIFIED IDEOGRAPH-732B}.jpg") == "\N{WHITE SQUARE}.jpg"
