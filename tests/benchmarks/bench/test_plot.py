"""Accuracy against speed: every result is in the plot, with a number that a legend names. A missing glyph is a warning, and
warnings are errors.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
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
from tests.support.bench_reports import make_report, make_result, mixed_results, without_accuracy

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
    results = [
        make_result(f"model.{n}.int8.tflite", float(rng.uniform(100, 400)), int(rng.integers(440, 500)))
        for n in range(count)
    ]
    return make_report(tuple(results), ship=count // 2)


def in_line(count: int = 10, step: float = 1.5) -> Report:
    """Points of the same accuracy and nearly the same speed."""
    return make_report(tuple(make_result(f"model.{n}.int8.tflite", 200 + n * step, 498) for n in range(count)))


def long_names() -> Report:
    results = tuple(make_result("m" * 300, 200 + n, device="d" * 300, batch=10**9 + n, threads=n) for n in range(12))
    return make_report(results)


REPORTS: dict[str, Callable[[], Report]] = {
    "usual": make_report,
    "everything differs": lambda: make_report(mixed_results()),
    "in line": in_line,
    "one": lambda: make_report((make_result(),)),
    "the same twice": lambda: make_report((make_result(), make_result(device="cuda:0"))),
    "long names": long_names,
    **{f"scattered {seed}": partial(scattered, seed) for seed in range(3)},
}
every_report = pytest.mark.parametrize("name", REPORTS)


@cache
def drawn(name: str = "usual") -> Figure:
    """The plot of a report, with the resolution of the file."""
    figure = pareto(REPORTS[name]())
    figure.set_dpi(DOTS_PER_INCH)
    figure.draw_without_rendering()
    return figure


def numbers(figure: Figure) -> dict[str, Bbox]:
    """The numbers beside the points, and their boxes in pixels; points that are close share a list such as `3, 5`."""
    found = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    return {text.get_text(): Text.get_window_extent(text) for text in found}


def marks(figure: Figure) -> dict[tuple[float, float], str]:
    """The positions of the points, and their fill."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", None, "")]
    return {(float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markerfacecolor() for line in lines}


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


def named(figure: Figure) -> list[str]:
    """What the legend below the plot says."""
    return [text.get_text() for text in figure.legends[1].get_texts()]


@every_report
def test_every_point_has_a_number_that_the_legend_names(name: str) -> None:
    figure, results = drawn(name), REPORTS[name]().results
    written = [int(number) for text in numbers(figure) for number in text.split(", ")]
    assert sorted(written) == list(range(1, len(results) + 1))
    assert [int(entry.split()[0]) for entry in named(figure)] == list(range(1, len(results) + 1))


def test_the_legend_gives_name_speed_and_accuracy() -> None:
    assert "4  model.int8.tflite: 419 images/s, 94.5%" in named(drawn())
    assert "2  model.onnx, cuda:0, batch 32, 2 threads: 2,345 images/s, 94.7%" in named(drawn("everything differs"))


def test_a_number_is_at_its_own_point() -> None:
    report = REPORTS["scattered 0"]()
    annotations = [text for text in drawn("scattered 0").axes[0].texts if isinstance(text, Annotation)]
    alone = {int(text.get_text()): text.xy for text in annotations if "," not in text.get_text()}
    assert len(alone) >= 6
    expected = {index: (each.rate, each.accuracy.share) for index, each in enumerate(report.results, 1) if each.accuracy}
    assert alone == {index: expected[index] for index in alone}


def test_points_that_are_too_close_share_a_list_from_left_to_right() -> None:
    assert "6, 5" in numbers(drawn())  # 260 and 262 images per second, with the same accuracy
    assert list(numbers(drawn("the same twice"))) == ["1, 2"]


@every_report
def test_no_number_covers_another(name: str) -> None:
    boxes = numbers(drawn(name))
    assert [(a, b) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])] == []


@every_report
def test_no_number_covers_a_point(name: str) -> None:
    figure = drawn(name)
    spots = [figure.axes[0].transData.transform(spot) for spot in marks(figure)]
    covered = [
        text
        for text, box in numbers(figure).items()
        for spot in spots
        if box.overlaps(Bbox([spot - _HALF_A_MARKER, spot + _HALF_A_MARKER]))
    ]
    assert covered == []


@every_report
def test_numbers_stay_inside_the_axes(name: str) -> None:
    inside = drawn(name).axes[0].bbox.padded(1)
    boxes = numbers(drawn(name))
    assert [text for text, box in boxes.items() if not (inside.contains(*box.min) and inside.contains(*box.max))] == []


@every_report
def test_nothing_overlaps_the_legends_and_they_are_inside_the_figure(name: str) -> None:
    figure = drawn(name)
    axes = figure.axes[0].get_tightbbox()
    above, below = (legend.get_window_extent() for legend in figure.legends)
    assert axes is not None
    assert below.y1 <= axes.y0
    assert axes.y1 <= above.y0
    inside = figure.bbox.padded(1)
    assert all(inside.contains(*corner) for box in (above, below) for corner in (box.min, box.max))


def test_a_point_is_at_its_speed_and_accuracy() -> None:
    expected = [(each.rate, each.accuracy.share) for each in make_report().results if each.accuracy]
    assert sorted(marks(drawn())) == sorted(expected)


def test_only_pareto_optimal_points_are_filled() -> None:
    hollow = {rate for (rate, _), fill in marks(drawn()).items() if fill == "none"}
    assert hollow == {each.rate for each in make_report().results if not each.best}


def test_the_recommended_point_stands_out() -> None:
    figure = drawn()
    assert marks(figure)[419.0, 496 / 525] == "#d1690e"
    (bold,) = [text for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    assert bold.get_text() == "4"
    assert "recommended" in texts(figure)


def test_without_a_recommendation_no_point_stands_out() -> None:
    figure = pareto(make_report(ship=None))
    assert "recommended" not in texts(figure)
    assert "#d1690e" not in marks(figure).values()


def test_every_engine_has_its_own_shape() -> None:
    figure = drawn()
    assert {"onnxruntime 1.31.1", "LiteRT 2.3.0"} <= texts(figure)
    assert {line.get_marker() for line in figure.axes[0].lines} >= {"o", "s"}


def test_the_pareto_line_goes_around_what_is_reached() -> None:
    results = (
        make_result("a", 100, 500),
        make_result("b", 200, 490),
        make_result("beaten", 150, 480),
        make_result("c", 300, 450),
    )
    axes = pareto(make_report(results, reference=None)).axes[0]
    line = axes.lines[-1]
    a, b, c = (correct / 525 for correct in (500, 490, 450))
    inner = list(zip(map(float, line.get_xdata()), map(float, line.get_ydata()), strict=True))[1:-1]
    assert inner == [(300, pytest.approx(axes.get_ylim()[0])), (300, c), (200, c), (200, b), (100, b), (100, a)]


def test_the_reference_model_is_a_line_inside_the_axes() -> None:
    report = make_report((make_result(correct=300),))
    axes = pareto(report).axes[0]
    assert report.reference is not None
    share = report.reference.accuracy.share
    assert [line for line in axes.lines if set(line.get_ydata()) == {share}]
    assert axes.get_ylim()[0] < share < axes.get_ylim()[1]


def test_rates_that_are_far_apart_have_a_logarithmic_axis() -> None:
    assert drawn("everything differs").axes[0].get_xscale() == "log"
    assert drawn().axes[0].get_xscale() == "linear"


def test_rates_that_are_close_look_close() -> None:
    left, right = pareto(in_line(3)).axes[0].get_xlim()
    assert right - left >= 50


def test_without_labels_rates_are_bars() -> None:
    report = without_accuracy(make_report())
    figure = pareto(report)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [each.rate for each in report.results]
    assert {each.name for each in report.results} | {"419", "recommended", "limit of this machine"} <= texts(figure)


def test_bars_of_inference_only_have_no_limit() -> None:
    results = tuple(replace(each, limits=(), of_limit=None) for each in make_report().results)
    figure = pareto(without_accuracy(make_report(results, ship=None)))
    png(figure)
    assert figure.legends == []


@pytest.mark.parametrize("change", [lambda report: report, without_accuracy], ids=["points", "bars"])
def test_no_name_breaks_the_plot(change: Callable[[Report], Report]) -> None:
    results = [make_result(name, device=device, engine=name) for name in HOSTILE for device in ("cpu", name)]
    png(pareto(change(make_report(tuple(results)))))


def test_no_name_of_the_reference_model_breaks_the_plot() -> None:
    report = make_report((make_result(),))
    assert report.reference is not None
    name = "$x^{$ \N{CJK UNIFIED IDEOGRAPH-732B} \udce9 \u202e \n"  # short enough to be shown whole
    figure = pareto(replace(report, reference=replace(report.reference, name=name)))
    assert any(text.startswith("reference model, $x^{$") and text.endswith(r"\u202e \n") for text in texts(figure))


@pytest.mark.parametrize("change", [lambda report: report, without_accuracy], ids=["points", "bars"])
def test_the_plot_is_a_transparent_png_and_always_the_same(change: Callable[[Report], Report]) -> None:
    first = png(pareto(change(make_report())))
    pixels = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels[0, 0, 3] == 0
    assert png(pareto(change(make_report()))) == first


def test_pyplot_keeps_no_figure() -> None:
    png(pareto(make_report()))
    assert plt.get_fignums() == []
