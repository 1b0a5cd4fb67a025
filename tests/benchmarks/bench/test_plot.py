"""Accuracy against speed: every row is there, under a name that can be read. Warnings, as of a missing glyph, are errors."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from edgeclf.benchmarks.bench.plot import pareto
from edgeclf.benchmarks.bench.report import Report
from edgeclf.train.results.drawing import png
from edgeclf.train.results.html_page import DOTS_PER_INCH
from tests.support.bench_reports import make_report, make_row, mixed_rows, without_accuracy

HOSTILE = [
    "$x^{$",
    "two\nlines",
    "\x1b[31m\x00",
    "caf\udce9",
    "\u202egpj.exe",
    "\N{CJK UNIFIED IDEOGRAPH-732B}",
    "a" * 300,
    "",
]

_HALF_A_MARKER = 7  # pixels


def scattered(seed: int, count: int = 10) -> Report:
    """Points anywhere."""
    rng = np.random.default_rng(seed)
    rows = [
        make_row(f"model.{n}.int8.tflite", float(rng.uniform(100, 400)), int(rng.integers(440, 500))) for n in range(count)
    ]
    return make_report(tuple(rows), ship=count // 2)


def in_line(count: int = 10, step: float = 1.5) -> Report:
    """Points of the same accuracy and nearly the same speed."""
    return make_report(tuple(make_row(f"model.{n}.int8.tflite", 200 + n * step, 498) for n in range(count)))


REPORTS: dict[str, Callable[[], Report]] = {
    "usual": make_report,
    "everything differs": lambda: make_report(mixed_rows()),
    "in line": in_line,
    "one": lambda: make_report((make_row(),)),
    **{f"scattered {seed}": partial(scattered, seed) for seed in range(3)},
}


def callouts(figure: Figure) -> dict[str, Bbox]:
    """The names beside the points and their boxes, in pixels, drawn as the file is."""
    figure.set_dpi(DOTS_PER_INCH)
    figure.draw_without_rendering()
    found = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    return {text.get_text(): Text.get_window_extent(text) for text in found}


def marks(figure: Figure) -> dict[tuple[float, float], str]:
    """Where points are, and how they are filled."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", None, "")]
    return {(float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markerfacecolor() for line in lines}


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_no_name_covers_another(make: Callable[[], Report]) -> None:
    names = callouts(pareto(make()))
    assert len(names) == len(make().rows)
    assert [(a, b) for a, b in combinations(names, 2) if names[a].overlaps(names[b])] == []


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_no_name_covers_a_point(make: Callable[[], Report]) -> None:
    figure = pareto(make())
    names, axes = callouts(figure), figure.axes[0]
    spots = [axes.transData.transform(spot) for spot in marks(figure)]
    assert [name for name, box in names.items() for spot in spots if box.padded(_HALF_A_MARKER).contains(*spot)] == []


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_names_stay_inside_the_axes(make: Callable[[], Report]) -> None:
    figure = pareto(make())
    names, inside = callouts(figure), figure.axes[0].bbox.padded(1)
    assert [name for name, box in names.items() if not (inside.contains(*box.min) and inside.contains(*box.max))] == []


def test_a_point_is_at_its_speed_and_accuracy() -> None:
    report = make_report()
    expected = [(row.rate, row.accuracy.share) for row in report.rows if row.accuracy]
    assert sorted(marks(pareto(report))) == sorted(expected)


def test_points_that_another_beats_are_hollow() -> None:
    report = make_report()
    hollow = {rate for (rate, _), fill in marks(pareto(report)).items() if fill == "none"}
    assert hollow == {row.rate for row in report.rows if not row.best}


def test_the_one_to_ship_stands_out() -> None:
    figure = pareto(make_report())
    assert marks(figure)[419.0, 496 / 525] == "#d1690e"
    (bold,) = [text for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    assert bold.get_text() == "model.int8.tflite"
    assert "the one to ship" in texts(figure)


def test_where_none_can_be_shipped_none_stands_out() -> None:
    figure = pareto(make_report(ship=None))
    assert "the one to ship" not in texts(figure)
    assert "#d1690e" not in marks(figure).values()


def test_engines_have_shapes_of_their_own() -> None:
    figure = pareto(make_report())
    assert {"onnxruntime 1.31.1", "LiteRT 2.3.0"} <= texts(figure)
    assert {line.get_marker() for line in figure.axes[0].lines} >= {"o", "s"}


def test_the_pareto_line_goes_around_what_is_reached() -> None:
    rows = (make_row("a", 100, 500), make_row("b", 200, 490), make_row("beaten", 150, 480), make_row("c", 300, 450))
    axes = pareto(make_report(rows, reference=None)).axes[0]
    line = axes.lines[-1]
    a, b, c = (correct / 525 for correct in (500, 490, 450))
    inner = list(zip(map(float, line.get_xdata()), map(float, line.get_ydata()), strict=True))[1:-1]
    assert inner == [(300, pytest.approx(axes.get_ylim()[0])), (300, c), (200, c), (200, b), (100, b), (100, a)]


def test_the_reference_is_a_line_inside_the_figure() -> None:
    report = make_report((make_row(correct=300),))
    axes = pareto(report).axes[0]
    assert report.reference is not None
    share = report.reference.accuracy.share
    assert [line for line in axes.lines if set(line.get_ydata()) == {share}]
    assert axes.get_ylim()[0] < share < axes.get_ylim()[1]


def test_rates_far_apart_stand_on_a_logarithmic_axis() -> None:
    assert pareto(make_report(mixed_rows())).axes[0].get_xscale() == "log"
    assert pareto(make_report()).axes[0].get_xscale() == "linear"


def test_rates_near_each_other_look_near() -> None:
    left, right = pareto(in_line(3)).axes[0].get_xlim()
    assert right - left >= 50


def test_without_labels_rates_are_bars() -> None:
    report = without_accuracy(make_report())
    figure = pareto(report)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [row.rate for row in report.rows]
    assert {row.name for row in report.rows} | {"419", "the one to ship", "what the machine could do at most"} <= texts(
        figure
    )


def test_bars_of_the_model_alone_have_no_limit() -> None:
    rows = tuple(replace(row, limits=(), of_limit=None) for row in make_report().rows)
    figure = pareto(without_accuracy(make_report(rows, ship=None)))
    png(figure)
    assert figure.legends == []


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("change", [lambda report: report, without_accuracy], ids=["points", "bars"])
def test_no_name_breaks_the_figure(name: str, change: Callable[[Report], Report]) -> None:
    report = make_report((make_row(name), make_row(name, device=name, engine=name)))
    assert report.reference is not None
    png(pareto(change(replace(report, reference=replace(report.reference, name=name)))))


@pytest.mark.parametrize("change", [lambda report: report, without_accuracy], ids=["points", "bars"])
def test_the_figure_is_a_png_through_which_the_page_shines(change: Callable[[Report], Report]) -> None:
    drawn = png(pareto(change(make_report())))
    pixels = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels[0, 0, 3] == 0
    assert png(pareto(change(make_report()))) == drawn


def test_no_figure_is_left_in_pyplots_hands() -> None:
    png(pareto(make_report()))
    assert plt.get_fignums() == []
