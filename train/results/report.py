"""The report on a training or an evaluation: one HTML page that opens from the disk and loads nothing else."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.model.prediction import Failure
from edgeclf.runtime.storage.atomic_write import make_folder, publish_bytes, publish_text
from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results import cards, confusion_table, html_page, plots
from edgeclf.train.results.drawing import png, printable
from edgeclf.train.results.evaluation import Evaluation, expected_calibration_error
from edgeclf.train.results.gallery import Answers, gallery
from edgeclf.train.results.heatmap_figures import STYLE as HEATMAP_STYLE
from edgeclf.train.results.heatmap_figures import Heatmaps, heatmap_figures
from edgeclf.train.results.html_page import cell_text, pairs, paragraph, table
from edgeclf.train.results.table import cells

REPORT_NAME = "report.html"
MAX_FAILURES = 200
"""The page lists at most this many unreadable files by name."""
_CURVES = {
    "curves.png": "Loss and accuracy by epoch",
    "calibration.png": "Accuracy by confidence",
    "roc.png": "Recall of the second class against the false positive rate",
    "unknown.png": "How unlike the training images those of the test split are: above 1, an image is called unknown",
}
"""The figures that are shown side by side, and what they show."""
_STYLE = """
.filters { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center }
.filters label { color: var(--soft) }
select, input, .filters button, #more { font: inherit; padding: .2rem .5rem; max-width: 100% }
#images { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .75rem }
#images figure { margin: 0 }
#images img { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--card); border-radius: .4rem }
#images b { display: block; overflow-wrap: anywhere }
#images .wrong b { color: #d9622b }
"""


@dataclass(frozen=True, eq=False)
class ReportData:
    """The content of a report; a section without data is left out.

    title: the name of the data. images: the images of the evaluation, in the same order. subject, origin: what was measured
    and on which images, for the first sentence. facts: what was trained, by name. counts: images by split and class.
    history: the rows of `history.csv`. best_epoch: one of these rows, from 1. uncalibrated: the evaluation's probabilities
    before temperature scaling. novelties: of the images, float64 `[N]`. heatmaps: of some of the images. samples: images as
    the network saw them in training. warnings: sentences for the top.
    """

    title: str
    evaluation: Evaluation
    images: Arrays
    subject: str = "test accuracy"
    origin: str = "used neither for training nor for early stopping"
    facts: Mapping[str, object] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failures: Sequence[tuple[str, Failure]] = ()
    history: Sequence[Mapping[str, str]] = ()
    best_epoch: int | None = None
    uncalibrated: NDArray[np.float32] | None = None
    temperature: float | None = None
    novelties: NDArray[np.float64] | None = None
    heatmaps: Heatmaps | None = None
    samples: Arrays | None = None
    warnings: Sequence[str] = ()


def write_report(folder: Path, data: ReportData) -> Path:
    """Write `report.html` and its figures, as separate files, too, to `folder`. Raises OutputError."""
    make_folder(folder)
    figures = draw(data)
    for name, image in figures.items():
        publish_bytes(folder / name, image)
    publish_text(folder / REPORT_NAME, page(data, figures))
    return folder / REPORT_NAME


def image_size(preprocess: Preprocess) -> str:
    """Size and colours of the network's input, for the facts of a report."""
    height, width, channels = preprocess.shape
    return f"{width}x{height}, {'grey' if channels == 1 else 'RGB'}"


def draw(data: ReportData) -> dict[str, bytes]:
    """File names and PNG bytes of the figures."""
    evaluation = data.evaluation
    figures = {"confusion.png": plots.confusion_matrix(evaluation.confusion, evaluation.classes)}
    if data.history:
        figures["curves.png"] = plots.training_curves(data.history, data.best_epoch)
    if evaluation.has_probabilities:
        before = data.uncalibrated
        figures["calibration.png"] = plots.reliability_diagram(evaluation.labels, evaluation.probabilities, before)
    if len(evaluation.classes) == 2 and evaluation.has_probabilities and len(np.unique(evaluation.labels)) == 2:
        scores = evaluation.probabilities[:, 1]
        figures["roc.png"] = plots.roc(evaluation.labels, scores, evaluation.classes[1], evaluation.threshold)
    if data.novelties is not None and len(data.novelties):
        figures["unknown.png"] = plots.novelty_histogram(data.novelties)
    if mistakes := worst_mistakes(data):
        images = data.images.images[[mistake.position for mistake in mistakes]]
        figures["mistakes.png"] = plots.image_grid(images, [mistake.title(evaluation.classes) for mistake in mistakes])
    if data.samples is not None:
        names = [[plots.class_label(label, evaluation.classes[label])] for label in data.samples.labels]
        figures["samples.png"] = plots.image_grid(data.samples.images, names)
    return {name: png(figure) for name, figure in figures.items()}


def page(data: ReportData, figures: Mapping[str, bytes]) -> str:
    """The HTML page, with the figures from `draw`."""
    evaluation = data.evaluation
    metrics = evaluation.to_json()
    sections = {
        "Confusion matrix": confusion_table.confusion_table(
            evaluation.confusion, evaluation.classes, opens_gallery=evaluation.has_probabilities
        ),
        "Answers": _gallery(data),
        "Where the network looks": heatmap_figures(data.heatmaps, evaluation, data.images) if data.heatmaps else "",
        "By class": _class_table(metrics),
        "Training and calibration": _figures(figures, _CURVES) + _calibration(data),
        "Other metrics": pairs(_other_metrics(metrics)),
        "Sample batch": _figures(figures, {"samples.png": "Images as the network sees them, with their classes"}),
        "Model and training": pairs(data.facts),
        "Data": _count_table(data.counts) + _failure_table(data.failures),
    }
    kept = data.history[data.best_epoch - 1] if data.history and data.best_epoch else None
    first = html_page.warnings(data.warnings) + cards.cards(evaluation, metrics, kept, data.subject, data.origin)
    return html_page.page(data.title, first, sections, cards.STYLE + confusion_table.STYLE + HEATMAP_STYLE + _STYLE)


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction.

    position: index of the image in the evaluation. truth, predicted: indices of the classes. confidence: 0 to 1.
    """

    position: int
    path: str
    truth: int
    predicted: int
    confidence: float

    def title(self, classes: Sequence[str]) -> tuple[str, str, str]:
        """Three lines of text above the image."""
        truth, predicted = (plots.class_label(label, classes[label]) for label in (self.truth, self.predicted))
        return printable(os.path.basename(self.path)), f"true: {truth}", f"predicted: {predicted} ({self.confidence:.0%})"


def worst_mistakes(data: ReportData) -> list[Mistake]:
    """The wrong predictions with the highest confidence, highest first, at most as many as a figure shows."""
    if not data.evaluation.has_probabilities:
        return []
    labels, probabilities = data.evaluation.labels, data.evaluation.probabilities
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][: plots.MAX_IMAGES]
    return [Mistake(int(i), data.images.paths[i], int(labels[i]), int(predicted[i]), float(confidence[i])) for i in worst]


def _class_table(metrics: Mapping[str, Any]) -> str:
    rows = [(number + 1, name, *cells(counts)) for number, (name, counts) in enumerate(metrics["by_class"].items())]
    return table(("#", "class", "images", "recall", "precision", "F1"), rows, numbers=(0, 2, 3, 4, 5))


def _other_metrics(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Averages, and metrics of the probabilities; undefined ones are left out."""
    at_threshold = metrics.get("at_threshold", {})
    named = {
        "balanced accuracy": _share(metrics["balanced_accuracy"]),
        "macro F1": _share(metrics["macro"]["f1"], metrics["macro"]["f1_95_interval"]),
        "weighted F1": _share(metrics["weighted"]["f1"]),
        **{f"top-{k} accuracy": _share(share) for k, share in metrics.get("top_k_accuracy", {}).items()},
        "area under the ROC curve": _share(metrics.get("roc_auc"), metrics.get("roc_auc_95_interval")),
        "area under the ROC curve, one class against the rest": _share(metrics.get("roc_auc_one_vs_rest")),
        "average precision": _share(metrics.get("average_precision")),
        f"accuracy with a threshold of {at_threshold.get('threshold')}": _share(at_threshold.get("accuracy")),
        "negative log likelihood": cell_text(metrics.get("negative_log_likelihood")),
    }
    return {name: value for name, value in named.items() if value}


def _calibration(data: ReportData) -> str:
    after = data.evaluation.calibration_error
    if after is None:
        return ""
    sentences = [f"On average, confidence and accuracy differ by {after:.1%} (expected calibration error, 15 bins)."]
    if data.uncalibrated is not None:
        before = expected_calibration_error(data.evaluation.labels, data.uncalibrated)
        sentences.append(f"Before temperature scaling, they differed by {before:.1%}.")
    if data.temperature is not None:
        sentences.append(f"The temperature, fitted on the validation split, is {data.temperature:.3f}.")
    return paragraph(" ".join(sentences))


def _gallery(data: ReportData) -> str:
    evaluation = data.evaluation
    if not evaluation.has_probabilities:
        return ""
    probabilities = evaluation.probabilities
    answers = Answers(
        evaluation.labels, probabilities.argmax(axis=1), probabilities.max(axis=1), data.images.images, data.images.paths
    )
    return gallery(answers, evaluation.classes)


def _count_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    if not counts:
        return ""
    names = list(dict.fromkeys(name for by_class in counts.values() for name in by_class))
    rows = [(name, *(f"{by_class.get(name, 0):,}" for by_class in counts.values())) for name in names]
    return table(("class", *counts), rows, numbers=range(1, len(counts) + 1))


def _failure_table(failures: Sequence[tuple[str, Failure]]) -> str:
    if not failures:
        return ""
    rows = [(path, failure.reason, failure.detail) for path, failure in failures[:MAX_FAILURES]]
    more = f" The first {MAX_FAILURES}:" if len(failures) > MAX_FAILURES else ""
    sentence = f"Skipped {plural(len(failures), 'unreadable file')}.{more}"
    return paragraph(sentence) + table(("file", "reason", "detail"), rows)


def _figures(figures: Mapping[str, bytes], descriptions: Mapping[str, str]) -> str:
    """Those of the figures that there are, side by side where there is room."""
    drawn = [html_page.figure(figures[name], says) for name, says in descriptions.items() if name in figures]
    return f'<div class="figures">\n{"".join(drawn)}</div>\n' if drawn else ""


def _share(share: float | None, interval: Sequence[float] | None = None) -> str:
    if share is None:
        return ""
    return f"{share:.1%}" + (f" (95 % interval {interval[0]:.1%} to {interval[1]:.1%})" if interval else "")
