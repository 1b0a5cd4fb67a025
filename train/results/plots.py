"""The figures in the report on a training or an evaluation."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.terminal.escaping import escape
from edgeclf.train.results.drawing import FIRST, INK, SECOND, legend, printable, style_axes
from edgeclf.train.results.evaluation import calibration_bins, expected_calibration_error

MAX_IMAGES = 16
MAX_NUMBERED = 20
"""The cells of a confusion matrix show numbers up to this many classes."""


def training_curves(history: Sequence[Mapping[str, str]], best_epoch: int | None = None) -> Figure:
    """Loss and accuracy for the rows of `history.csv`, with all stages on one axis. best_epoch: a row, counted from 1."""
    figure = Figure(figsize=(7, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    epochs = np.arange(1, len(history) + 1)
    for axes, name in ((upper, "loss"), (lower, "accuracy")):
        style_axes(axes, "", name)
        for column, colour, label in ((name, FIRST, "training"), (f"val_{name}", SECOND, "validation")):
            values = [_number(row.get(column)) for row in history]
            axes.plot(epochs, values, color=colour, label=label, linewidth=1.8, marker="o", markersize=3)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=SECOND, linewidth=1, linestyle=":", label=f"best epoch: {best_epoch}")
    _divide_stages(upper, lower, [row.get("stage") or "" for row in history])
    lower.set_xlabel("epoch", color=INK)
    lower.set_xlim(0.5, max(len(history), 1) + 0.5)
    lower.xaxis.get_major_locator().set_params(integer=True)
    legend(lower)
    return figure


def confusion_matrix(confusion: NDArray[np.int64], classes: Sequence[str]) -> Figure:
    """True classes in rows, predicted classes in columns; the colour is the share of the row.

    Cells are opaque, so that they look the same on light and dark pages.
    """
    count = len(classes)
    side = float(np.clip(2.6 + 0.5 * count, 4.6, 14))
    font = float(np.clip(170 / count, 5, 9))
    images = confusion.sum(axis=1, keepdims=True)
    shares = np.ma.masked_array(confusion / np.maximum(images, 1), np.broadcast_to(images == 0, confusion.shape))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, "predicted class", "true class")
    axes.grid(False)
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    names = [class_label(number, name) for number, name in enumerate(classes)]
    rotation = 90 if count > 4 or max(map(len, names)) > 10 else 0
    axes.set_xticks(range(count), names, rotation=rotation, fontsize=font, parse_math=False)
    axes.set_yticks(range(count), names, fontsize=font, parse_math=False)
    if count <= MAX_NUMBERED:
        _number_cells(axes, confusion, shares, font)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, format=lambda share, _: f"{share:.0%}")
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.outline.set_visible(False)
    return figure


def reliability_diagram(
    labels: NDArray[np.int64], after: NDArray[np.float32], before: NDArray[np.float32] | None = None
) -> Figure:
    """Accuracy by confidence. after, before: probabilities `[N, classes]` with and without temperature scaling."""
    figure = Figure(figsize=(5.6, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    style_axes(upper, "", "accuracy")
    style_axes(lower, "confidence", "images")
    upper.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1)
    series = [] if before is None else [("before scaling", before, SECOND, "s")]
    for name, probabilities, colour, marker in [*series, ("after scaling" if series else "model", after, FIRST, "o")]:
        bins = calibration_bins(labels, probabilities)
        some = bins.images > 0
        label = f"{name}: calibration error {expected_calibration_error(labels, probabilities):.1%}"
        upper.plot(bins.confidence[some], bins.accuracy[some], color=colour, marker=marker, markersize=5, label=label)
        edges = np.linspace(0, 1, len(bins.images) + 1)
        lower.stairs(
            bins.images, edges, color=colour, fill=probabilities is after, alpha=0.6 if probabilities is after else 1
        )
    upper.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    legend(upper)
    return figure


def roc(labels: NDArray[np.int64], scores: NDArray[np.float32], name: str, threshold: float | None = None) -> Figure:
    """The ROC curve of two classes, both among the labels. scores: float32 `[N]`, for the second class, called `name`."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, "false positive rate", f"recall of {printable(name)}")
    false_rate, true_rate, _ = roc_curve(labels, scores)
    axes.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1)
    axes.plot(false_rate, true_rate, color=FIRST, linewidth=2)
    for cut, colour, marker in ((0.5, FIRST, "o"), (threshold, SECOND, "s")):
        if cut is not None:
            rates = [float((scores[labels == label] >= cut).mean()) for label in (0, 1)]
            axes.plot(*rates, color=colour, marker=marker, linestyle="", label=f"threshold {cut:.3g}")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    legend(axes)
    return figure


def novelty_histogram(novelties: NDArray[np.float64]) -> Figure:
    """How many images have which novelty, float64 `[N]`. Above 1, they are called unknown."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, "novelty", "images")
    axes.hist(novelties, bins=min(40, 5 + len(novelties) // 5), color=FIRST, alpha=0.6)
    share = float((novelties > 1).mean())
    axes.axvline(1, color=SECOND, linewidth=1.5, linestyle="--", label=f"called unknown: {share:.1%}")
    legend(axes)
    return figure


def image_grid(images: Pixels, titles: Sequence[Sequence[str]]) -> Figure:
    """The first MAX_IMAGES images, uint8 `[N, H, W, C]`, as the network sees them.

    titles: the lines above each image, made by `printable` or `class_label`.
    """
    images, titles = images[:MAX_IMAGES], titles[:MAX_IMAGES]
    rows = -(-len(images) // 4)
    lines = max(map(len, titles))
    figure = Figure(figsize=(8, rows * (1.75 + 0.17 * lines)), layout="constrained")
    for position, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes = figure.add_subplot(rows, 4, position + 1)
        axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.set_title("\n".join(title), fontsize=8, color=INK, parse_math=False)
        axes.set_axis_off()
    return figure


def class_label(number: int, name: str) -> str:
    """The name of a class; if it is shortened, with its number from 1, which the report's table of classes explains."""
    text = printable(name)
    return text if text == escape(name) else f"{number + 1}: {text}"


def _divide_stages(upper: Axes, lower: Axes, stages: Sequence[str]) -> None:
    """Separate the stages by light lines and write their names above, if there is more than one."""
    starts = [i for i in range(len(stages)) if i == 0 or stages[i] != stages[i - 1]]
    if len(starts) < 2:
        return
    for start in starts:
        name, above = printable(stages[start]), upper.get_xaxis_transform()
        upper.text(start + 0.55, 1.02, name, transform=above, fontsize=9, color=INK, parse_math=False)
        for axes in (upper, lower) if start else ():
            axes.axvline(start + 0.5, color=INK, alpha=0.5, linewidth=1)


def _number_cells(axes: Axes, confusion: NDArray[np.int64], shares: NDArray[np.float64], font: float) -> None:
    for row, column in np.argwhere(confusion):
        share = shares[row, column]
        colour = "black" if share > 0.55 else "white"
        text = f"{confusion[row, column]:,}\n{share:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=font - 1)


def _number(text: str | None) -> float:
    """A cell of the history as a number; NaN, which leaves a gap in the curve, if it is missing or not a number."""
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
