"""Accuracy against speed in one plot; without labelled images, a bar chart of the speeds.

Points are numbered, and a legend below the plot names the numbers.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from edgeclf.benchmarks.bench.columns import display_names, number
from edgeclf.benchmarks.bench.report import Accuracy, BenchResult, Report
from edgeclf.train.results.drawing import FIRST, INK, SECOND, legend, printable, style_axes

_LOG_SCALE_FROM = 6
"""Ratio of the fastest to the slowest rate from which the speed axis is logarithmic, because a linear one would crowd the
slow points."""
_SHAPES = ("o", "s", "^", "D", "v")
_SHIP = "recommended"
_BEATEN = "beaten in speed, accuracy and size at once"
_WIDTH_IN, _PLOT_HEIGHT_IN, _LINE_HEIGHT_IN = 8.0, 4.2, 0.19
_MARKER_PT, _DIGIT_PT, _NUMBER_HEIGHT_PT, _GAP_PT = 10, 6.5, 11, 1.5
"""Sizes in typographic points: a marker, one bold digit above it, and the gap between a number and the vertical bar."""
_WIDE_LABEL = 48
"""Characters of a legend entry, from which the legend has one column only."""


@dataclass(frozen=True)
class _Point:
    """A result that has an accuracy. number: in the plot. name: as it is written in the legend."""

    number: int
    result: BenchResult
    accuracy: Accuracy
    name: str
    shipped: bool
    shape: str

    @property
    def label(self) -> str:
        return f"{self.number}  {self.name}: {number(self.result.rate)} images/s, {self.accuracy.share:.1%}"

    @property
    def style(self) -> dict[str, Any]:
        """Of its marker: filled if Pareto-optimal, and orange if recommended."""
        colour = SECOND if self.shipped else FIRST
        filled = self.shipped or self.result.best
        size = _MARKER_PT if self.shipped else 0.7 * _MARKER_PT
        return {
            "marker": self.shape,
            "markersize": size,
            "color": colour,
            "markerfacecolor": colour if filled else "none",
            "linestyle": "",
        }


def pareto(report: Report) -> Figure:
    """Every result by its speed and accuracy, and the Pareto line; without accuracies, bars of the rates."""
    points = _points(report)
    return _scatter(report, points) if points else _bars(report)


def _points(report: Report) -> list[_Point]:
    shapes = dict(zip(dict.fromkeys(result.engine for result in report.results), cycle(_SHAPES), strict=False))
    names = (", ".join(each) for each in _printable_names(report.results))
    return [
        _Point(
            number=index + 1,
            result=result,
            accuracy=result.accuracy,
            name=name,
            shipped=index == report.ship,
            shape=shapes[result.engine],
        )
        for index, (result, name) in enumerate(zip(report.results, names, strict=True))
        if result.accuracy
    ]


def _scatter(report: Report, points: Sequence[_Point]) -> Figure:
    key, columns = _key(report, points), 2 if max(len(point.label) for point in points) < _WIDE_LABEL else 1
    lines = -(-len(points) // columns) + -(-len(key) // 2)
    figure = Figure(figsize=(_WIDTH_IN, _PLOT_HEIGHT_IN + lines * _LINE_HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, "images per second", "accuracy")
    for point in points:
        _draw(axes, point)
    if report.reference:
        axes.axhline(report.reference.accuracy.share, color=INK, linewidth=1, linestyle="--", zorder=1)
    _scale(axes, [point.result.rate for point in points])
    _draw_pareto_line(axes, [(point.result.rate, point.accuracy.share) for point in points])
    legend(figure, handles=key, loc="outside upper center", ncols=2)
    named: list[Artist] = [Line2D([], [], label=point.label, **point.style) for point in points]
    legend(figure, handles=named, loc="outside lower center", ncols=columns)
    figure.draw_without_rendering()  # computes the layout, on which the numbers depend
    _write_numbers(axes, points)
    return figure


def _draw(axes: Axes, point: _Point) -> None:
    """The marker, a bar from the slowest to the fastest round, and a bar over the interval of the accuracy."""
    result, share, style = point.result, point.accuracy.share, point.style
    bars: dict[str, Any] = {"color": style["color"], "alpha": 0.3, "linewidth": 1.2, "zorder": 2}
    axes.plot([result.rate] * 2, point.accuracy.interval, **bars)
    axes.plot([min(result.rates), max(result.rates)], [share] * 2, **bars)
    axes.plot(result.rate, share, zorder=3, **style)


def _write_numbers(axes: Axes, points: Sequence[_Point]) -> None:
    """Write each number above its point. Points too close for that share one list of numbers, from left to right."""
    spots = axes.transData.transform([(point.result.rate, point.accuracy.share) for point in points])
    spots *= 72 / float(axes.figure.dpi)  # from pixels to typographic points
    for group in _groups(spots):
        members = [points[index] for index in group]
        left, top = spots[group[0]][0], spots[group][:, 1].max()
        box = _box(spots[group])
        alone = len(group) == 1
        written = axes.annotate(
            ", ".join(str(point.number) for point in members),
            (members[0].result.rate, max(point.accuracy.share for point in members)),
            xytext=(_GAP_PT if alone else (box.x0 + box.x1) / 2 - left, box.y1 - top),
            textcoords="offset points",
            ha="left" if alone else "center",
            va="top",
            color=INK,
            fontsize=9,
            fontweight="bold" if any(point.shipped for point in members) else "normal",
        )
        written.set_in_layout(False)


def _groups(spots: NDArray[np.float64]) -> list[list[int]]:
    """Indices of the points, grouped so that no marker or number overlaps another group's. spots: `[N, 2]`."""
    groups = [[index] for index in range(len(spots))]
    while touching := next(
        ((one, other) for one, other in combinations(groups, 2) if _box(spots[one]).overlaps(_box(spots[other]))), None
    ):
        merged = sorted(touching[0] + touching[1], key=lambda index: spots[index, 0])
        groups = [group for group in groups if group not in touching] + [merged]
    return groups


def _box(spots: NDArray[np.float64]) -> Bbox:
    """Around the markers of a group and the numbers above them. spots: `[N, 2]`."""
    (left, bottom), (right, top) = spots.min(axis=0) - _MARKER_PT / 2, spots.max(axis=0) + _MARKER_PT / 2
    if len(spots) == 1:  # the number is to the right of the vertical bar
        return Bbox([(left, bottom), (spots[0][0] + _GAP_PT + 2 * _DIGIT_PT, top + _NUMBER_HEIGHT_PT)])
    spare = max(0.0, len(spots) * 3 * _DIGIT_PT - (right - left)) / 2
    return Bbox([(left - spare, bottom), (right + spare, top + _NUMBER_HEIGHT_PT)])


def _scale(axes: Axes, rates: Sequence[float]) -> None:
    """Logarithmic if the rates are far apart; if they are close, wide enough that they look close."""
    axes.margins(x=0.12, y=0.08)
    if max(rates) > _LOG_SCALE_FROM * min(rates):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        (left, right), least = axes.get_xlim(), max(rates) / 4
        spare = max(least - (right - left), 0) / 2
        axes.set_xlim(left - spare, right + spare)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.10g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.10g}%"))


def _draw_pareto_line(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """The line around everything that some point reaches in both speed and accuracy."""
    limits = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    (left, _), (bottom, _) = limits.values()
    corners = [(max(rate for rate, _ in points), bottom)]
    for rate, share in sorted(points, reverse=True):
        if share > corners[-1][1]:
            corners += [(rate, corners[-1][1]), (rate, share)]
    corners.append((left, corners[-1][1]))
    rates, shares = zip(*corners, strict=True)
    axes.fill(*zip(*corners, (left, bottom), strict=True), color=FIRST, alpha=0.07, linewidth=0, zorder=0)
    axes.plot(rates, shares, color=FIRST, alpha=0.5, linewidth=1, zorder=1)
    axes.set(**limits)


def _key(report: Report, points: Sequence[_Point]) -> list[Artist]:
    """What shapes, colours and lines mean."""
    plain: dict[str, Any] = {"linestyle": "", "color": FIRST}
    shapes: Mapping[str, str] = {point.result.engine: point.shape for point in points}
    marks: list[Artist] = [Line2D([], [], marker=shape, label=printable(name), **plain) for name, shape in shapes.items()]
    if any(point.style["markerfacecolor"] == "none" for point in points):
        marks.append(Line2D([], [], marker=points[0].shape, markerfacecolor="none", label=_BEATEN, **plain))
    marks += [Line2D([], [], **point.style | {"label": _SHIP}) for point in points if point.shipped]
    marks.append(Patch(facecolor=FIRST, alpha=0.3, label="reached in speed and accuracy"))
    if report.reference:
        name = f"reference model, {printable(report.reference.name)}"
        marks.append(Line2D([], [], color=INK, linestyle="--", linewidth=1, label=name))
    return marks


def _bars(report: Report) -> Figure:
    results = report.results
    figure = Figure(figsize=(_WIDTH_IN, 1.5 + 0.38 * len(results)), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, "images per second", "")
    axes.grid(False, axis="y")
    for index, result in enumerate(results):
        end = _draw_bar(axes, index, result, shipped=index == report.ship)
        value = number(result.rate)
        axes.annotate(value, (end, index), xytext=(6, 0), textcoords="offset points", va="center", color=INK, fontsize=9)
    axes.set_yticks(range(len(results)), ["\n".join(each) for each in _printable_names(results)], parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    if handles := axes.get_legend_handles_labels()[0]:
        legend(figure, handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_bar(axes: Axes, index: int, result: BenchResult, *, shipped: bool) -> float:
    """A bar for the rate, and a tick at the machine's limit. Returns the larger of the two."""
    axes.barh(index, result.rate, color=SECOND if shipped else FIRST, height=0.6, label=_SHIP if shipped else "")
    if not result.limits:
        return result.rate
    limit = statistics.median(result.limits)
    axes.plot(limit, index, "|", color=INK, markersize=16, label="" if index else "limit of this machine")
    return max(result.rate, limit)


def _printable_names(results: Sequence[BenchResult]) -> list[list[str]]:
    """The file name and, if configurations differ, the configuration."""
    return [list(filter(None, (printable(file), printable(words, 40)))) for file, words in display_names(results)]
