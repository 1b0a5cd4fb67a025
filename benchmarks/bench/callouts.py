"""Names beside the points of a figure, where they cover neither a point nor each other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from edgeclf.train.results.drawing import INK

_DISTANCES = (9, 15, 24, 36, 50, 66, 84, 104, 126, 150)
"""Tried in turn, from a point to the edge of its name; these and all sizes here are in typographic points."""
_SIDES = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0.4, 1), (0.4, -1), (-0.4, 1), (-0.4, -1))
_JOINED = 15
"""From this distance on, a line leads from a name to its point."""
_MARKER = 5
"""Half the side of the square that a point takes."""
_COVERING, _PASSING, _CROSSING = 1000, 20, 3
"""What it costs to cover a point or a name or to leave the axes, to have the leading line pass over one, and to cross a
line: in steps away from the point."""


@dataclass(frozen=True)
class Callout:
    """A name for the point at x and y."""

    x: float
    y: float
    name: str
    bold: bool = False


def call_out(axes: Axes, callouts: Sequence[Callout], lines: Sequence[Line2D] = ()) -> None:
    """Write the names, the first of which has the choice of all places; better beside `lines` than across.

    The figure has its layout, and is otherwise finished, by now.
    """
    spots = [axes.transData.transform((callout.x, callout.y)) for callout in callouts]
    half = _MARKER * _pixels(axes)
    markers = [Bbox([spot - half, spot + half]) for spot in spots]
    paths = [line.get_transform().transform_path(line.get_path()) for line in lines]
    names: list[Bbox] = []
    for place, callout in enumerate(callouts):
        others = [*names, *markers[:place], *markers[place + 1 :]]
        written = _write(axes, callout)
        best = min(_places(axes, spots[place], written), key=lambda found: found.cost(axes, others, paths))
        written.set_position(tuple((best.centre - best.spot) / _pixels(axes)))
        names.append(best.box)
        if _DISTANCES[best.step] >= _JOINED:
            paths.append(best.leader)
        elif written.arrow_patch:
            written.arrow_patch.set_visible(False)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a name could stand: the point that it names, its own centre and box, and how many distances were tried before.

    All of them in pixels.
    """

    spot: NDArray[np.float64]
    centre: NDArray[np.float64]
    box: Bbox
    step: int

    @property
    def leader(self) -> Path:
        return Path([self.spot, self.centre])

    def cost(self, axes: Axes, others: Sequence[Bbox], paths: Sequence[Path]) -> int:
        """others: must not be covered. paths: had better not be crossed."""
        inside = axes.bbox.fully_contains(*self.box.min) and axes.bbox.fully_contains(*self.box.max)
        covered = sum(self.box.overlaps(other) for other in others)
        passed = sum(self.leader.intersects_bbox(other) for other in others)
        crossed = sum(path.intersects_bbox(self.box, filled=False) for path in paths)
        return int(_COVERING * (covered + (not inside)) + _PASSING * passed + _CROSSING * crossed) + self.step


def _places(axes: Axes, spot: NDArray[np.float64], written: Annotation) -> Iterator[_Place]:
    """From the nearest to the farthest."""
    size = np.array(Text.get_window_extent(written).size)
    for (step, distance), side in product(enumerate(_DISTANCES), _SIDES):
        gap = distance * _pixels(axes) / math.hypot(*side)
        centre = spot + np.array(side) * (size / 2 + gap)
        yield _Place(spot, centre, Bbox([centre - size / 2, centre + size / 2]).padded(_pixels(axes)), step)


def _write(axes: Axes, callout: Callout) -> Annotation:
    """On the point itself, for the time being."""
    written = axes.annotate(
        callout.name,
        (callout.x, callout.y),
        xytext=(0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        color=INK,
        fontsize=9,
        fontweight="bold" if callout.bold else "normal",
        parse_math=False,
        arrowprops={"arrowstyle": "-", "color": INK, "alpha": 0.6, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4},
    )
    written.set_in_layout(False)
    return written


def _pixels(axes: Axes) -> float:
    """In a typographic point."""
    return float(axes.figure.dpi) / 72
