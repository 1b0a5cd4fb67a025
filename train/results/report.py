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
from edgeclf.train.results import html_page, plots
from edgeclf.train.results.drawing import png, printable
from edgeclf.train.results.evaluation import Evaluation, expected_calibration_error
from edgeclf.train.results.html_page import cell_text, pairs, paragraph, table
from edgeclf.train.results.table import cells, headline

REPORT_NAME = "report.html"
MAX_FAILURES = 200
"""The page lists at most this many unreadable files by name."""


@dataclass(frozen=True, eq=False)
class ReportData:
    """The content of a report; a section without data is left out.

    title: the name of the data. images: the images of the evaluation, in the same order. subject, origin: what was measured
    and on which images, for the first sentence. facts: what was trained, by name. counts: images by split and class.
    history: the rows of `history.csv`. best_epoch: one of these rows, from 1. uncalibrated: the evaluation's probabilities
    before temperature scaling. samples: images as the network saw them in training. warnings: sentences for the top.
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
    if mistakes := worst_mistakes(data):
        images = data.images.images[[mistake.position for mistake in mistakes]]
        figures["mistakes.png"] = plots.image_grid(images, [mistake.title(evaluation.classes) for mistake in mistakes])
    if data.samples is not None:
        names = [[plots.class_label(label, evaluation.classes[label])] for label in data.samples.labels]
        figures["samples.png"] = plots.image_grid(data.samples.images, names)
    return {name: png(figure) for name, figure in figures.items()}


def page(data: ReportData, figures: Mapping[str, bytes]) -> str:
    """The HTML page, with the figures from `draw`."""
    metrics = data.evaluation.to_json()
    sections = {
        "By class": _class_table(metrics),
        "Other metrics": pairs(_other_metrics(metrics)),
        "Training": _figure(figures, "curves.png", "Loss and accuracy by epoch"),
        "Confusion matrix": _figure(
            figures, "confusion.png", "Number of images by true class (rows) and predicted class (columns)"
        ),
        "ROC curve": _figure(figures, "roc.png", "Recall of the second class against the false positive rate"),
        "Calibration": _calibration(data) + _figure(figures, "calibration.png", "Accuracy by confidence"),
        "Worst mistakes": _mistakes(data, figures),
        "Sample batch": _figure(figures, "samples.png", "Images as the network sees them, with their classes"),
        "Model and training": pairs(data.facts),
        "Data": _count_table(data.counts) + _failure_table(data.failures),
    }
    lead = headline(metrics, data.subject, data.origin)
    return html_page.page(data.title, lead[:1].upper() + lead[1:] + ".", sections, warnings=data.warnings)


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


def _mistakes(data: ReportData, figures: Mapping[str, bytes]) -> str:
    if not data.evaluation.has_probabilities:
        return ""
    if not (mistakes := worst_mistakes(data)):
        return paragraph("None: every prediction is correct.")
    classes = data.evaluation.classes
    rows = [
        (mistake.path, classes[mistake.truth], classes[mistake.predicted], f"{mistake.confidence:.1%}")
        for mistake in mistakes
    ]
    figure = _figure(figures, "mistakes.png", "The wrong predictions with the highest confidence")
    return figure + table(("file", "true class", "predicted class", "confidence"), rows, numbers=(3,))


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


def _figure(figures: Mapping[str, bytes], name: str, description: str) -> str:
    """The figure as HTML, or nothing if there is no figure of that name."""
    return html_page.figure(figures[name], description) if name in figures else ""


def _share(share: float | None, interval: Sequence[float] | None = None) -> str:
    if share is None:
        return ""
    return f"{share:.1%}" + (f" (95 % interval {interval[0]:.1%} to {interval[1]:.1%})" if interval else "")
