"""Accuracy against speed in one figure; without labelled images, speed alone."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from edgeclf.benchmarks.bench.callouts import Callout, call_out
from edgeclf.benchmarks.bench.columns import labels, number
from edgeclf.benchmarks.bench.report import Accuracy, Report, Row
from edgeclf.train.results.drawing import FIRST, INK, SECOND, dress, legend, printable

_FAR = 6
"""Times as fast as the slowest, from where on an axis in equal steps would press the slow ones together."""
_SHAPES = ("o", "s", "^", "D", "v")
_BEATEN = "another beats it in speed, accuracy and size at once"


@dataclass(frozen=True)
class _Point:
    """A row that has an accuracy. name: as it stands in the figure."""

    row: Row
    accuracy: Accuracy
    name: str
    shipped: bool

    @property
    def colour(self) -> str:
        return SECOND if self.shipped else FIRST

    @property
    def hollow(self) -> bool:
        return not (self.row.best or self.shipped)


def pareto(report: Report) -> Figure:
    """Every row by its speed and its accuracy, and the line beyond which none is; without accuracies, bars of the rates."""
    named = enumerate(zip(report.rows, _names(report.rows), strict=True))
    points = [_Point(row, row.accuracy, name, place == report.ship) for place, (row, name) in named if row.accuracy]
    return _scatter(report, points) if points else _bars(report)


def _scatter(report: Report, points: Sequence[_Point]) -> Figure:
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    axes = figure.subplots()
    dress(axes, "images a second", "accuracy")
    shapes = dict(zip(dict.fromkeys(point.row.engine for point in points), cycle(_SHAPES), strict=False))
    for point in points:
        _mark(axes, point, shapes[point.row.engine])
    lines = []
    if report.reference:
        lines.append(axes.axhline(report.reference.accuracy.share, color=INK, linewidth=1, linestyle="--", zorder=1))
    _scale(axes, [point.row.rate for point in points])
    lines.append(_border(axes, [(point.row.rate, point.accuracy.share) for point in points]))
    legend(figure, handles=_key(report, points, shapes), loc="outside lower center", ncols=2)
    first = sorted(points, key=lambda point: (not point.shipped, not point.row.best))
    figure.draw_without_rendering()  # lays it out
    call_out(axes, [Callout(point.row.rate, point.accuracy.share, point.name, bold=point.shipped) for point in first], lines)
    return figure


def _mark(axes: Axes, point: _Point, shape: str) -> None:
    """Filled where nothing beats it; bars from the slowest to the fastest round, and over the interval of the accuracy."""
    row, share = point.row, point.accuracy.share
    bars: dict[str, Any] = {"color": point.colour, "alpha": 0.3, "linewidth": 1.2, "zorder": 2}
    axes.plot([row.rate] * 2, point.accuracy.interval, **bars)
    axes.plot([min(row.rates), max(row.rates)], [share] * 2, **bars)
    fill = "none" if point.hollow else point.colour
    size = 10 if point.shipped else 7
    axes.plot(row.rate, share, shape, markersize=size, color=point.colour, markerfacecolor=fill, zorder=3)


def _scale(axes: Axes, rates: Sequence[float]) -> None:
    """Steps by factors where rates are far from each other; where they are near, an axis so long that they look near."""
    axes.margins(x=0.12, y=0.08)
    if max(rates) > _FAR * min(rates):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        (left, right), least = axes.get_xlim(), max(rates) / 4
        spare = max(least - (right - left), 0) / 2
        axes.set_xlim(left - spare, right + spare)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.10g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.10g}%"))


def _border(axes: Axes, points: Sequence[tuple[float, float]]) -> Line2D:
    """The Pareto line, around all that some point reaches in both speed and accuracy."""
    limits = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    (left, _), (bottom, _) = limits.values()
    corners = [(max(rate for rate, _ in points), bottom)]
    for rate, share in sorted(points, reverse=True):
        if share > corners[-1][1]:
            corners += [(rate, corners[-1][1]), (rate, share)]
    corners.append((left, corners[-1][1]))
    rates, shares = zip(*corners, strict=True)
    axes.fill(*zip(*corners, (left, bottom), strict=True), color=FIRST, alpha=0.07, linewidth=0, zorder=0)
    (line,) = axes.plot(rates, shares, color=FIRST, alpha=0.5, linewidth=1, zorder=1)
    axes.set(**limits)
    return line


def _key(report: Report, points: Sequence[_Point], shapes: Mapping[str, str]) -> list[Artist]:
    alone: dict[str, Any] = {"linestyle": "", "color": FIRST}
    marks: list[Artist] = [Line2D([], [], marker=shape, label=printable(name), **alone) for name, shape in shapes.items()]
    if any(point.hollow for point in points):
        marks.append(Line2D([], [], marker=next(iter(shapes.values())), markerfacecolor="none", label=_BEATEN, **alone))
    for point in points:
        if point.shipped:
            shape = shapes[point.row.engine]
            marks.append(Line2D([], [], marker=shape, markersize=9, linestyle="", color=SECOND, label="the one to ship"))
    marks.append(Patch(facecolor=FIRST, alpha=0.3, label="reached in speed and accuracy"))
    if report.reference:
        name = f"the reference, {printable(report.reference.name)}"
        marks.append(Line2D([], [], color=INK, linestyle="--", linewidth=1, label=name))
    return marks


def _bars(report: Report) -> Figure:
    rows = report.rows
    figure = Figure(figsize=(8, 1.5 + 0.38 * len(rows)), layout="constrained")
    axes = figure.subplots()
    dress(axes, "images a second", "")
    axes.grid(False, axis="y")
    for place, row in enumerate(rows):
        end = _bar(axes, place, row, shipped=place == report.ship)
        axes.annotate(number(row.rate), (end, place), (6, 0), textcoords="offset points", va="center", color=INK, fontsize=9)
    axes.set_yticks(range(len(rows)), _names(rows), parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    if handles := axes.get_legend_handles_labels()[0]:
        legend(figure, handles=handles, loc="outside lower center", ncols=2)
    return figure


def _bar(axes: Axes, place: int, row: Row, *, shipped: bool) -> float:
    """The rate, and a stroke at the limit; how far both reach."""
    label = "the one to ship" if shipped else ""
    axes.barh(place, row.rate, color=SECOND if shipped else FIRST, height=0.6, label=label)
    if not row.limits:
        return row.rate
    limit = statistics.median(row.limits)
    axes.plot(limit, place, "|", color=INK, markersize=16, label="" if place else "what the machine could do at most")
    return max(row.rate, limit)


def _names(rows: Sequence[Row]) -> list[str]:
    """In one line or, where arrangements differ, two."""
    return ["\n".join(filter(None, (printable(file), printable(words, 40)))) for file, words in labels(rows)]
