"""Measured accuracy for people: one sentence, and a table of classes for the terminal."""

from collections.abc import Mapping
from typing import Any

from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.tables import Column, show_table

COLUMNS = ("images", "recall", "precision", "f1")


def headline(metrics: Mapping[str, Any], subject: str, origin: str) -> str:
    """subject: such as "test accuracy". origin: what the images are, such as "used neither for training nor ..."."""
    baseline = f"always predicting the most frequent class: {metrics['majority_share']:.1%}"
    return f"{measured_accuracy(metrics, subject)} {origin}; {baseline}"


def measured_accuracy(metrics: Mapping[str, Any], subject: str) -> str:
    """With its interval and the number of images."""
    low, high = metrics["accuracy_95_interval"]
    images = plural(metrics["images"], "image")
    return f"{subject} {metrics['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}) on {images}"


def show(metrics: Mapping[str, Any]) -> None:
    """Print `Evaluation.to_json()` as a table on stderr, with one row per class."""
    columns = (Column("class", "left"), *map(Column, ("images", "recall", "precision")), Column("F1", spare=1))
    show_table(columns, [(name, *cells(counts)) for name, counts in metrics["by_class"].items()])


def cells(counts: Mapping[str, Any]) -> list[str]:
    """The row of one class, without its name. An undefined share is a dash."""
    shares = (counts[name] for name in COLUMNS[1:])
    return [f"{counts['images']:,}", *("-" if share is None else f"{share:.1%}" for share in shares)]
