"""What all figures have in common; warnings, such as for a missing glyph, are errors here."""

from collections.abc import Callable

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from edgeclf.train.results.drawing import dress, legend, png, printable


@pytest.fixture
def figure() -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    axes = figure.subplots()
    dress(axes, "$x^{$", "y")
    axes.plot([1, 2], [3, 4], label="a line")
    return figure


def test_a_figure_is_a_png(figure: Figure) -> None:
    assert png(figure).startswith(b"\x89PNG\r\n\x1a\n")


def test_the_name_of_an_axis_is_no_formula(figure: Figure) -> None:
    png(figure)
    assert figure.axes[0].get_xlabel() == "$x^{$"


@pytest.mark.parametrize("whole", [False, True], ids=["inside the axes", "below the figure"])
def test_a_legend_has_no_frame_and_the_colour_of_the_text(figure: Figure, whole: bool) -> None:
    axes = figure.axes[0]
    legend(figure if whole else axes, loc="outside lower center" if whole else "best")
    found = figure.legends[0] if whole else axes.get_legend()
    assert not found.get_frame_on()
    assert [to_hex(text.get_color()) for text in found.get_texts()] == [axes.xaxis.label.get_color()]


def test_a_long_name_keeps_its_ends() -> None:
    assert printable("an image of something, taken by me, 0042.jpg") == "an image of s… 0042.jpg"


def test_a_name_may_be_as_long_as_there_is_room() -> None:
    assert printable("cuda:0, batch 32, 2 threads", 27) == "cuda:0, batch 32, 2 threads"


def test_what_does_not_print_is_spelt_out() -> None:
    assert printable("a\nb\x1b") == r"a\nb\x1b"


def test_what_the_font_has_not_is_a_square() -> None:
    assert printable("\N{CJK UNIFIED IDEOGRAPH-732B}.jpg") == "\N{WHITE SQUARE}.jpg"


def test_drawing_needs_neither_scikit_learn_nor_tensorflow(fresh_python: Callable[..., str]) -> None:
    script = "import sys, edgeclf.train.results.drawing; print({'sklearn', 'scipy', 'tensorflow', 'keras'} & {*sys.modules})"
    assert fresh_python(script) == "set()\n"
