"""Figures can be drawn for all names and numbers. Warnings, such as for a missing glyph, are errors here."""

from collections.abc import Callable

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgeclf.train.results.drawing import png, printable
from edgeclf.train.results.html_page import DOTS_PER_INCH
from edgeclf.train.results.plots import (
    class_label,
    confusion_matrix,
    image_grid,
    reliability_diagram,
    roc,
    training_curves,
)

HOSTILE = [
    "$x^{$",
    r"\alpha$\frac{1}$",
    "two\nlines",
    "\x1b[31m\x00",
    "caf\udce9",
    "\u202egpj.exe",
    "\N{CJK UNIFIED IDEOGRAPH-732B}\N{CJK UNIFIED IDEOGRAPH-72D7}",
    "\N{GRINNING FACE}",
    "\u0e41\u0e21\u0e27",
    "a" * 300,
    "%s {0} <b>",
    " ",
]
HISTORY = [
    {"stage": stage, "epoch": str(epoch), "loss": "1.5", "accuracy": "0.5", "val_loss": "1.7", "val_accuracy": "0.4"}
    for stage, epoch in (("head", 1), ("head", 2), ("fine-tune", 1), ("fine-tune", 2), ("fine-tune", 3))
]
LABELS = np.arange(60) % 2
SURE = np.random.default_rng(0).random(60).astype(np.float32)
PROBABILITIES = np.stack([1 - SURE, SURE], axis=1)


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """The drawn figure as uint8 `[H, W, 4]`; the last channel is opacity."""
    return decoded(png(figure))


def decoded(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def noise(count: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 12, channels), dtype=np.uint8)


FIGURES: list[Callable[[], Figure]] = [
    lambda: training_curves(HISTORY, 4),
    lambda: confusion_matrix(np.array([[5, 1], [2, 7]]), ("cat", "dog")),
    lambda: reliability_diagram(LABELS, PROBABILITIES, PROBABILITIES),
    lambda: roc(LABELS, SURE, "dog", 0.4),
]
NAMES = ["curves", "confusion", "reliability", "roc"]


@pytest.mark.parametrize("draw", FIGURES, ids=NAMES)
def test_a_figure_always_gives_the_same_bytes_and_its_background_is_transparent(draw: Callable[[], Figure]) -> None:
    first = png(draw())
    assert first == png(draw())
    assert decoded(first)[0, 0, 3] == 0


@pytest.mark.parametrize("draw", FIGURES, ids=NAMES)
def test_text_is_readable_on_white_and_on_black(draw: Callable[[], Figure]) -> None:
    outside = [text for axes in draw().axes for text in (axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels())]
    assert {text.get_color() for text in outside if text.get_text()} == {"#808080"}


def test_no_figure_is_registered_in_pyplot() -> None:
    png(training_curves(HISTORY, 4))
    assert plt.get_fignums() == []


def test_no_name_breaks_a_figure() -> None:
    png(confusion_matrix(np.eye(len(HOSTILE), dtype=np.int64), HOSTILE))
    png(image_grid(noise(len(HOSTILE)), [[class_label(0, name), printable(name)] for name in HOSTILE]))
    png(training_curves([HISTORY[0] | {"stage": name} for name in HOSTILE]))


@pytest.mark.parametrize(
    "name", [name if name in HOSTILE[:2] else pytest.param(name, marks=pytest.mark.slow) for name in HOSTILE], ids=ascii
)
def test_no_class_name_breaks_the_roc_curve(name: str) -> None:
    png(roc(LABELS, SURE, name))


def test_a_dollar_sign_is_not_a_formula() -> None:
    figure = confusion_matrix(np.array([[5, 1], [2, 7]]), ("$x^2$", "dog"))
    png(figure)
    dollars = figure.findobj(lambda artist: hasattr(artist, "get_parse_math") and "$" in artist.get_text())
    assert {text.get_parse_math() for text in dollars} == {False}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("a\nb", r"a\nb"),
        ("\N{CJK UNIFIED IDEOGRAPH-732B}", "7: \N{WHITE SQUARE}"),
        ("class with a very long name", "7: class with a v…long name"),
    ],
    ids=["unchanged", "escaped", "not in the font", "shortened"],
)
def test_a_class_whose_name_is_changed_has_its_number_too(name: str, label: str) -> None:
    assert class_label(6, name) == label


@pytest.mark.parametrize("count", [2, *(pytest.param(count, marks=pytest.mark.slow) for count in (5, 20, 21, 100))])
def test_a_confusion_matrix_of_any_size_can_be_drawn(count: int) -> None:
    confusion = np.random.default_rng(0).integers(0, 2000, (count, count))
    drawn = pixels(confusion_matrix(confusion, [f"class with a long name {n}" for n in range(count)]))
    assert max(drawn.shape) <= 15 * DOTS_PER_INCH


@pytest.mark.parametrize(("count", "numbered"), [(20, True), (21, False)])
def test_cells_show_numbers_while_these_are_readable(count: int, numbered: bool) -> None:
    drawn = texts(confusion_matrix(np.eye(count, dtype=np.int64) * 1234, [str(n) for n in range(count)]))
    assert ("1,234\n100%" in drawn) is numbered


def test_cells_show_counts_and_shares_of_the_true_class() -> None:
    drawn = texts(confusion_matrix(np.array([[3, 1], [0, 8]]), ("cat", "dog")))
    assert {"3\n75%", "1\n25%", "8\n100%"} <= set(drawn)


def test_a_class_without_images_has_an_empty_row() -> None:
    drawn = confusion_matrix(np.array([[3, 1], [0, 0]]), ("cat", "dog"))
    assert drawn.axes[0].images[0].get_array().mask.tolist() == [[False, False], [True, True]]


def test_stages_follow_each_other_on_one_axis() -> None:
    figure = training_curves(HISTORY, 4)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert {"head", "fine-tune", "best epoch: 4"} <= set(texts(figure))


def test_a_single_stage_needs_no_name() -> None:
    assert "all" not in texts(training_curves([row | {"stage": "all"} for row in HISTORY]))


@pytest.mark.parametrize(
    "history",
    [HISTORY[:1], [{"epoch": "0"}], [HISTORY[0] | {"loss": "nan", "val_loss": "inf"}], [HISTORY[0] | {"loss": "?"}]],
    ids=["one epoch", "no columns", "NaN", "not a number"],
)
def test_a_history_with_gaps_can_be_drawn(history: list[dict[str, str]]) -> None:
    assert pixels(training_curves(history, 1)).size


def test_the_reliability_diagram_shows_the_error_before_and_after_scaling() -> None:
    labels, sure = np.array([0, 1] * 10), np.tile(np.array([0.9, 0.1], np.float32), (20, 1))
    honest = np.tile(np.array([0.5, 0.5], np.float32), (20, 1))
    assert {"before scaling: calibration error 40.0%", "after scaling: calibration error 0.0%"} <= set(
        texts(reliability_diagram(labels, honest, sure))
    )


def test_the_roc_curve_marks_the_threshold_at_its_rates() -> None:
    figure = roc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.9], np.float32), "dog", 0.35)
    marked = figure.axes[0].lines[-1]
    assert (float(marked.get_xdata()[0]), float(marked.get_ydata()[0])) == (0.5, 0.5)


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (5, 5), (16, 16), (40, 16)])
def test_a_grid_shows_at_most_sixteen_images(count: int, shown: int) -> None:
    assert len(image_grid(noise(count), [["x"]] * count).axes) == shown


@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_their_pixel_values(channels: int) -> None:
    drawn = pixels(image_grid(np.full((1, 8, 8, channels), 200, np.uint8), [["grey"]]))
    opaque = drawn[drawn[..., 3] == 255][:, :3]
    assert np.median(opaque) == 200
