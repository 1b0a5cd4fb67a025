"""The first things to read in a report: the accuracy, the weakest class, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeclf.runtime.terminal.plural import plural
from edgeclf.train.results.evaluation import Evaluation
from edgeclf.train.results.html_page import capitalized, text

STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: .75rem; margin: 1rem 0 }
.card { background: var(--card); border-radius: .6rem; padding: 1rem }
.card h2 { border: 0; margin: 0; padding: 0; font-size: .9rem; font-weight: 500; color: var(--soft) }
.card .big { font-size: 2rem; line-height: 1.2; margin: .25rem 0; font-weight: 600 }
.card p { margin: .25rem 0 }
"""
_WIDE_INTERVAL = 0.1
_MEMORISED = 0.1
"""The training accuracy is this much above that on the validation split."""


def cards(
    evaluation: Evaluation, metrics: Mapping[str, Any], epoch: Mapping[str, str] | None, subject: str, origin: str
) -> str:
    """The markup of the three cards.

    metrics: `evaluation.to_json()`. epoch: the row of `history.csv` whose weights are kept. subject, origin: as in a report.
    """
    low, high = metrics["accuracy_95_interval"]
    accuracy = [
        f"95 % interval {low:.1%} to {high:.1%}, on {plural(metrics['images'], 'image')} {origin}",
        f"Always answering the most frequent class: {metrics['majority_share']:.1%}",
    ]
    weak, share = _weakest(metrics)
    name = evaluation.classes[weak]
    images = metrics["by_class"][name]["images"]
    found = f"{share:.1%} of {plural(images, 'image')} of {name} are found"
    weakest = [found, *_confused(evaluation, weak)]
    steps = next_steps(evaluation, metrics, epoch)
    return (
        '<div class="cards">\n'
        + _card(capitalized(subject), f"{metrics['accuracy']:.1%}", accuracy)
        + _card("Weakest class", name, weakest)
        + _card("What to do next", "", steps)
        + "</div>\n"
    )


def next_steps(evaluation: Evaluation, metrics: Mapping[str, Any], epoch: Mapping[str, str] | None) -> list[str]:
    """What would probably help most, as sentences; the most important one first."""
    steps = []
    worst = _worst_confusion(evaluation)
    if worst:
        true, predicted, count = worst
        looked = (
            f"Look at {plural(count, 'image')} of {evaluation.classes[true]} answered as {evaluation.classes[predicted]}"
        )
        steps.append(f"{looked}: are their labels right, and what do they have in common?")
    low, high = metrics["accuracy_95_interval"]
    if high - low > _WIDE_INTERVAL:
        steps.append("More test images would tell the accuracy more exactly.")
    if epoch and float(epoch["accuracy"]) - float(epoch["val_accuracy"]) > _MEMORISED:
        steps.append("The network knows its training images by heart: more images, or augmentation, would help most.")
    return steps or ["Export it, and measure it on the device."]


def _card(title: str, big: str, lines: Sequence[str]) -> str:
    number = f'<p class="big">{text(big)}</p>\n' if big else ""
    return f'<div class="card"><h2>{text(title)}</h2>\n{number}{"".join(f"<p>{text(line)}</p>" for line in lines)}</div>\n'


def _weakest(metrics: Mapping[str, Any]) -> tuple[int, float]:
    """The number of the class of which the smallest share is found, and that share."""
    recalls = [counts["recall"] for counts in metrics["by_class"].values()]
    known = {number: recall for number, recall in enumerate(recalls) if recall is not None}
    weakest = min(known, key=lambda number: known[number])
    return weakest, known[weakest]


def _confused(evaluation: Evaluation, true: int) -> list[str]:
    row = evaluation.confusion[true].copy()
    row[true] = 0
    if not row.any():
        return []
    return [f"Most often answered instead: {evaluation.classes[int(row.argmax())]} ({plural(int(row.max()), 'image')})"]


def _worst_confusion(evaluation: Evaluation) -> tuple[int, int, int] | None:
    """The most frequent mistake: true class, answer, and number of images."""
    mistakes = evaluation.confusion.copy()
    np.fill_diagonal(mistakes, 0)
    if not mistakes.any():
        return None
    true, predicted = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
    return int(true), int(predicted), int(mistakes.max())
